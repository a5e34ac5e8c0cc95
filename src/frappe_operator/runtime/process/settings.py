"""How the operator's process runs. What benches are made of is decided elsewhere."""

from msgspec import Struct

from frappe_operator.runtime.process.engine import WORKERS
from frappe_operator.runtime.process.log import Format, Level


class Settings(Struct, frozen=True, kw_only=True):
    """Everything that can be set about the process."""

    kubeconfig: str = ""
    """Path of a kubeconfig; empty: `$KUBECONFIG`, the pod's service account, or `~/.kube/config`."""
    namespaces: tuple[str, ...] = ()
    """The only namespaces that are seen and worked on; empty: all."""
    lease_namespace: str = ""
    """Where the Lease is; empty: the namespace of the service account or of the kubeconfig's context."""
    lease_name: str = "frappe-operator"
    """Processes with the same Lease take turns: one works, the others stand by."""
    health_address: str = "127.0.0.1"
    """The address for `/healthz`, `/readyz` and `/metrics`. In a pod: `0.0.0.0` or `::`."""
    health_port: int = 8081
    """Their port; 0: any that is free."""
    log_format: Format = "json"
    log_level: Level = "info"
    workers: int = WORKERS
    """Objects of one kind that are looked at at once."""
