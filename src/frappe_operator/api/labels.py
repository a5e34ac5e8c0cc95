"""Labels and finalizers of benches, sites and their children. A released one never changes."""

from frappe_operator.kube.names import GROUP

BENCH_LABEL = f"{GROUP}/bench"
SITE_LABEL = f"{GROUP}/site"
COMPONENT_LABEL = f"{GROUP}/component"

SITE_FINALIZER = f"{GROUP}/site-finalizer"
BENCH_FINALIZER = f"{GROUP}/bench-finalizer"
