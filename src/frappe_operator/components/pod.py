"""Common parts of all pods: the restricted security profile, no API token, temporary space."""

from frappe_operator.components.metadata import labels, selector
from frappe_operator.kube.names import GROUP
from frappe_operator.kube.objects import Manifest
from frappe_operator.model.owner import Owner

SECRET_ANNOTATION = f"{GROUP}/secret-revision"
"""Annotation of pods whose programs read a Secret only when they start: a new revision restarts the pods."""

FRAPPE, DATABASE, CACHE, PROXY = 1000, 999, 999, 101
"""User ids of the images: frappe/erpnext, mariadb, redis, nginx-unprivileged."""

CONTAINER_SECURITY: Manifest = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "readOnlyRootFilesystem": True,
}

LAST_LINES = "FallbackToLogsOnError"
"""`terminationMessagePolicy` of a program that writes only logs: the end of its log is copied to the pod status when
it fails."""


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
    owner: Owner,
    part: str,
    uid: int,
    spec: Manifest,
    more: dict[str, str] | None = None,
    secret_revision: str = "",
    *,
    replicated: bool = False,
    selects: dict[str, str] | None = None,
) -> Manifest:
    """A pod template: `spec` and the common parts of all pods. `more`: additional labels. `secret_revision`: revision
    of the Secret that the programs read when they start. `replicated`: whether the component can have several pods.
    `selects`: the labels that select the pods, by default those of the owner and component."""
    annotations = {"annotations": {SECRET_ANNOTATION: secret_revision}} if secret_revision else {}
    # Whatever the number of replicas is, because a template that follows it would restart the pods. Pods that have an
    # affinity all run on the node of a volume.
    spread = _spread(selector(owner, part)) if replicated and "affinity" not in spec else {}
    return {
        "metadata": {"labels": {**labels(owner, part, selects), **(more or {})}, **annotations},
        "spec": {
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "securityContext": security(uid),
            **spread,
            **spec,
        },
    }


def _spread(labels: dict[str, str]) -> Manifest:
    """The fields that spread the pods with these labels over nodes and zones, as far as there is room.

    Zones are no second constraint: the scheduler ignores nodes that lack the topology key of one of the constraints, so
    that in a cluster without zones nothing would be spread.
    """
    # Pods of another revision do not count: they are about to end.
    pods = {"labelSelector": {"matchLabels": labels}, "matchLabelKeys": ["pod-template-hash"]}
    nodes = {"maxSkew": 1, "topologyKey": "kubernetes.io/hostname", "whenUnsatisfiable": "ScheduleAnyway", **pods}
    zones = {"weight": 100, "podAffinityTerm": {"topologyKey": "topology.kubernetes.io/zone", **pods}}
    return {
        "topologySpreadConstraints": [nodes],
        "affinity": {"podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [zones]}},
    }


def pull_secrets(names: tuple[str, ...]) -> Manifest:
    """The field `imagePullSecrets`; no field without names."""
    return {"imagePullSecrets": [{"name": name} for name in names]} if names else {}


def same_node(labels: dict[str, str]) -> Manifest:
    """Term of a pod affinity: the node of the pods with these labels, because their volume exists only there."""
    return {"labelSelector": {"matchLabels": labels}, "topologyKey": "kubernetes.io/hostname"}


def affinity(*terms: Manifest) -> Manifest:
    """The field `affinity` of a pod that requires all `terms` of pod affinity; no field without terms.

    All terms of a pod must be in one call: a second field `affinity` would replace the first.
    """
    return {"affinity": {"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [*terms]}}} if terms else {}


def config_volume(name: str, config_map: str) -> Manifest:
    """A volume with the content of a ConfigMap."""
    return {"name": name, "configMap": {"name": config_map}}


def secret_volume(name: str, secret: str, *keys: str) -> Manifest:
    """A volume with the content of a Secret, readable only by the user of the pod. `keys`: the mounted keys, by default
    all."""
    source: Manifest = {"secretName": secret, "defaultMode": 0o440}
    if keys:
        source["items"] = [{"key": key, "path": key} for key in keys]
    return {"name": name, "secret": source}


def scratch(name: str, *, memory: bool = False) -> Manifest:
    """An empty volume with the lifetime of the pod. `memory`: whether it is in memory."""
    return {"name": name, "emptyDir": {"medium": "Memory"} if memory else {}}


def mount(name: str, path: str, *, read_only: bool = False, sub_path: str = "") -> Manifest:
    """The mount of a volume in a container."""
    result: Manifest = {"name": name, "mountPath": path}
    if read_only:
        result["readOnly"] = True
    if sub_path:
        result["subPath"] = sub_path
    return result
