"""The settings of the operator process."""

from msgspec import Struct

from frappe_operator.runtime.process.engine import WORKERS
from frappe_operator.runtime.process.log import Format, Level


class Settings(Struct, frozen=True, kw_only=True):
    """Everything that can be configured about the process."""

    kubeconfig: str = ""
    """Path of a kubeconfig; empty: `$KUBECONFIG`, the pod's service account, or `~/.kube/config`."""
    namespaces: tuple[str, ...] = ()
    """The only namespaces that are watched; empty: all."""
    lease_namespace: str = ""
    """The namespace of the Lease; empty: that of the service account or of the kubeconfig's context."""
    lease_name: str = "frappe-operator"
    """The name of the Lease. Of the processes with the same Lease one is the leader, and the others stand by."""
    health_address: str = "127.0.0.1"
    """The address for `/healthz`, `/readyz` and `/metrics`. In a pod: `0.0.0.0` or `::`."""
    health_port: int = 8081
    """The port of these endpoints; 0: any free port."""
    log_format: Format = "json"
    log_level: Level = "info"
    workers: int = WORKERS
    """How many objects of one kind are reconciled concurrently."""
