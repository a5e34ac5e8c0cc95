"""The RBAC permissions of the operator: those that its controllers declare, and those of the process itself."""

from collections.abc import Iterable, Mapping, Sequence

from frappe_operator import registry
from frappe_operator.components.children import CHILDREN
from frappe_operator.kube.children import ChildKind
from frappe_operator.kube.kinds import EVENT, LEASE, Kind
from frappe_operator.kube.objects import Manifest
from frappe_operator.model.host_claims import HostGrants
from frappe_operator.model.settings import Images
from frappe_operator.registry import Environment
from frappe_operator.runtime.client.fetch import Answer
from frappe_operator.runtime.controller import Controller

NAME = "frappe-operator"
LABELS = {"app.kubernetes.io/name": NAME}
RBAC = "rbac.authorization.k8s.io"

ORDER = ("get", "list", "watch", "create", "update", "patch", "delete")
WATCHED = ("list", "watch")
OWN_KIND_SUBRESOURCES = {"status": ("patch",), "finalizers": ("update",)}
"""Verbs on the subresources of our kinds. To set an owner reference with blockOwnerDeletion, a client needs the
permission to update finalizers."""
PROCESS_VERBS = {EVENT: ("create",)}
LEASE_VERBS = {LEASE: ("get", "create", "patch")}

Rights = Mapping[tuple[Kind, str], Iterable[str]]
"""Verbs by kind and subresource."""


def controllers() -> list[Controller]:
    """All controllers, for their declarations only: their reconciles are never called."""

    async def fetch(url: str, host: str) -> Answer:
        raise NotImplementedError

    return registry.controllers(Environment(Images(), str, fetch, HostGrants()))


def manifests(namespace: str, watched_namespaces: Sequence[str] = ()) -> list[Manifest]:
    """ServiceAccount, roles and bindings. With `watched_namespaces`, a Role in each of them and no ClusterRole."""
    rights = needed(controllers())
    own = _role("Role", f"{NAME}-process", namespace, {(kind, ""): verbs for kind, verbs in LEASE_VERBS.items()})
    account: Manifest = {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {"name": NAME, "namespace": namespace, "labels": LABELS},
        "automountServiceAccountToken": False,
    }
    if not watched_namespaces:
        return [account, *own_binding(own, namespace), *own_binding(_role("ClusterRole", NAME, "", rights), namespace)]
    inside = {key: verbs for key, verbs in rights.items() if key[0].namespaced}
    roles = [_role("Role", NAME, each, inside) for each in watched_namespaces]
    return [account, *own_binding(own, namespace), *(each for role in roles for each in own_binding(role, namespace))]


def needed(
    controllers: Sequence[Controller], children: Iterable[ChildKind] = CHILDREN
) -> dict[tuple[Kind, str], set[str]]:
    """The verbs that the controllers and the process need, by kind and subresource."""
    rights: dict[tuple[Kind, str], set[str]] = {}

    def allow(kind: Kind, verbs: Iterable[str], subresource: str = "") -> None:
        rights.setdefault((kind, subresource), set()).update(verbs)

    for controller in controllers:
        for kind in (controller.kind, *(watch.kind for watch in controller.watches)):
            allow(kind, WATCHED)
        for kind, verbs in controller.verbs.items():
            allow(kind, verbs.split())
        for subresource, subresource_verbs in OWN_KIND_SUBRESOURCES.items():
            allow(controller.kind, subresource_verbs, subresource)
    for child in children:
        allow(child.kind, child.verbs.split())
    for kind, process_verbs in PROCESS_VERBS.items():
        allow(kind, process_verbs)
    return rights


def own_binding(role: Manifest, account_namespace: str) -> list[Manifest]:
    """A Role or ClusterRole, and its binding to the operator's ServiceAccount."""
    kind, metadata = role["kind"], role["metadata"]
    binding = {
        "apiVersion": f"{RBAC}/v1",
        "kind": f"{kind}Binding",
        "metadata": metadata,
        "roleRef": {"apiGroup": RBAC, "kind": kind, "name": metadata["name"]},
        "subjects": [{"kind": "ServiceAccount", "name": NAME, "namespace": account_namespace}],
    }
    return [role, binding]


def _role(kind: str, name: str, namespace: str, rights: Rights) -> Manifest:
    metadata: Manifest = {"name": name, **({"namespace": namespace} if namespace else {}), "labels": LABELS}
    rules = [
        {
            "apiGroups": [each.group],
            "resources": [f"{each.plural}/{subresource}" if subresource else each.plural],
            "verbs": [verb for verb in ORDER if verb in verbs],
        }
        for (each, subresource), verbs in sorted(rights.items(), key=lambda right: (right[0][0].group, right[0]))
    ]
    return {"apiVersion": f"{RBAC}/v1", "kind": kind, "metadata": metadata, "rules": rules}
