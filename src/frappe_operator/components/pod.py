"""What every pod has: the restricted security profile, no token of the API, temporary space."""

from frappe_operator.components.metadata import labels
from frappe_operator.kube.names import GROUP
from frappe_operator.kube.objects import Manifest
from frappe_operator.model.owner import Owner

SECRET_ANNOTATION = f"{GROUP}/secret-revision"
"""On pods whose programs read a Secret when they start, and only then: another revision starts them again."""

FRAPPE, DATABASE, CACHE, PROXY = 1000, 999, 999, 101
"""User ids of the images: frappe/erpnext, mariadb, redis, nginx-unprivileged."""

CONTAINER_SECURITY: Manifest = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "readOnlyRootFilesystem": True,
}

LAST_LINES = "FallbackToLogsOnError"
"""`terminationMessagePolicy` of a program that only logs: how it failed is the end of its log, and gets into the
pod's status."""


def security(uid: int) -> Manifest:
    """`securityContext` of a pod that passes the restricted Pod Security profile."""
    return {
        "runAsNonRoot": True,
        "runAsUser": uid,
        "runAsGroup": uid,
        "fsGroup": uid,
        "fsGroupChangePolicy": "OnRootMismatch",
        "seccompProfile": {"type": "RuntimeDefault"},
    }


def template(
    owner: Owner, part: str, uid: int, spec: Manifest, more: dict[str, str] | None = None, secret_revision: str = ""
) -> Manifest:
    """A pod template: `spec` and what every pod has. `more`: labels beside the usual ones. `secret_revision`: of the
    Secret that its programs read at their start."""
    annotations = {"annotations": {SECRET_ANNOTATION: secret_revision}} if secret_revision else {}
    return {
        "metadata": {"labels": {**labels(owner, part), **(more or {})}, **annotations},
        "spec": {
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "securityContext": security(uid),
            **spec,
        },
    }


def pull_secrets(names: tuple[str, ...]) -> Manifest:
    """`imagePullSecrets`, where there are any."""
    return {"imagePullSecrets": [{"name": name} for name in names]} if names else {}


def same_node(labels: dict[str, str]) -> Manifest:
    """Term of a pod affinity: the node on which all pods with these labels run, because their volume is only there."""
    return {"labelSelector": {"matchLabels": labels}, "topologyKey": "kubernetes.io/hostname"}


def affinity(*terms: Manifest) -> Manifest:
    """The field `affinity` of a pod that may run only where all `terms` of pod affinity hold; no field without terms.

    A pod takes the terms of everything it mounts in one call: a second `affinity` field would replace the first.
    """
    return {"affinity": {"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [*terms]}}} if terms else {}


def config_volume(name: str, config_map: str) -> Manifest:
    """A ConfigMap as a volume."""
    return {"name": name, "configMap": {"name": config_map}}


def secret_volume(name: str, secret: str, *keys: str) -> Manifest:
    """A Secret as a volume that only the pod's own user may read; of its keys only `keys`, where named."""
    source: Manifest = {"secretName": secret, "defaultMode": 0o440}
    if keys:
        source["items"] = [{"key": key, "path": key} for key in keys]
    return {"name": name, "secret": source}


def scratch(name: str, *, memory: bool = False) -> Manifest:
    """An empty volume that lives as long as the pod."""
    return {"name": name, "emptyDir": {"medium": "Memory"} if memory else {}}


def mount(name: str, path: str, *, read_only: bool = False, sub_path: str = "") -> Manifest:
    """A volume's place in a container."""
    result: Manifest = {"name": name, "mountPath": path}
    if read_only:
        result["readOnly"] = True
    if sub_path:
        result["subPath"] = sub_path
    return result
