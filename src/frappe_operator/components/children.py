"""The table of the kinds of children of benches and sites. A new kind needs one row here and nothing else."""

from frappe_operator.kube.children import ChildKind
from frappe_operator.kube.kinds import (
    CERTIFICATE,
    CONFIG_MAP,
    DEPLOYMENT,
    HPA,
    HTTP_ROUTE,
    INGRESS,
    JOB,
    LISTENER_SET,
    PDB,
    PVC,
    SECRET,
    SERVICE,
    STATEFUL_SET,
)

INSTALL_GATEWAY_API = "install the CustomResourceDefinitions of the Gateway API, and a controller for it"

CHILDREN: tuple[ChildKind, ...] = (
    ChildKind(DEPLOYMENT, "get create patch delete", pruned=True, stopped_on_deletion=True),
    # It would only report that the Deployment is gone.
    ChildKind(HPA, "get create patch delete", pruned=True, stopped_on_deletion=True),
    ChildKind(PDB, "get create patch delete", pruned=True),
    # A StatefulSet is a server with data, so that it is never pruned.
    ChildKind(STATEFUL_SET, "get create patch delete", pruned=False),
    ChildKind(JOB, "get create delete", pruned=True),
    ChildKind(PVC, "get create patch delete", pruned=False),
    ChildKind(SERVICE, "get create patch delete", pruned=True),
    ChildKind(INGRESS, "get create patch delete", pruned=True, stopped_on_deletion=True),
    ChildKind(
        HTTP_ROUTE,
        "get create patch delete",
        pruned=True,
        stopped_on_deletion=True,
        install=INSTALL_GATEWAY_API,
    ),
    ChildKind(
        LISTENER_SET,
        "get create patch delete",
        pruned=True,
        stopped_on_deletion=True,
        install="install the CustomResourceDefinitions of the Gateway API 1.5 or later",
    ),
    ChildKind(
        CERTIFICATE,
        "get create patch delete",
        pruned=True,
        install="install cert-manager, or put a certificate into a Secret and name it in tls.secretName alone",
    ),
    ChildKind(CONFIG_MAP, "get create patch delete", pruned=True),
    # All Secrets, not only those of the operator: the user creates the one of an external database.
    ChildKind(SECRET, "get create delete", pruned=False, labels="", metadata_only=True),
)
