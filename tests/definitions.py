"""The CRDs that tests need in a cluster of the sandbox."""

import yaml

from frappe_operator.api import crd
from sandbox.addons.cert_manager_player import CERT_MANAGER
from sandbox.addons.contour import GATEWAY_API
from sandbox.cluster import Cluster


def install(cluster: Cluster, *, gateway_api: bool = False, cert_manager: bool = False) -> None:
    """Installs the operator's CRDs, on request those of the Gateway API and of cert-manager too, and waits until the
    API server serves them.

    A cluster is shared by all tests, which run in any order: each says which definitions it needs.
    """
    _apply(cluster, "-", yaml.safe_dump_all(crd.definitions()))
    if gateway_api:
        _apply(cluster, str(GATEWAY_API))
    if cert_manager:
        _apply(cluster, str(CERT_MANAGER))
    cluster.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=60s")
    # For a moment the API server answers 429, because it prepares the storage: kubectl waits.
    names = cluster.kubectl("get", "crd", "--output=jsonpath={.items[*].metadata.name}").split()
    cluster.kubectl("get", ",".join(names), "--all-namespaces")


def _apply(cluster: Cluster, source: str, given: str | None = None) -> None:
    cluster.kubectl("apply", "--server-side", "--force-conflicts", "-f", source, input=given)
