"""What the API server refuses: the checks of the built-in kinds that an operator can run into."""

import json
import re
from collections.abc import Callable, Iterable
from collections.abc import Set as AbstractSet
from typing import Any

from fakecluster.apiserver.defaulting import quantity
from fakecluster.apiserver.errors import StatusError, forbidden, invalid
from frappe_operator.kube.kinds import Ref
from frappe_operator.kube.objects import Manifest

SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
SERVICE_NAME = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")
LABEL_VALUE = re.compile(r"(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?")
QUALIFIED = re.compile(r"([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")
CONFIG_KEY = re.compile(r"[-._a-zA-Z0-9]{1,253}")
PORT_NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,13}[a-z0-9])?")

IMMUTABLE = "field is immutable"


def check(ref: Ref, live: Manifest | None, new: Manifest) -> None:
    """Raise `StatusError` where the real server would. `live` is None for an object that is being made."""
    _metadata(ref, live, new)
    template = _template(new)
    if template is not None:
        claimed = {claim["metadata"]["name"] for claim in new["spec"].get("volumeClaimTemplates", [])}
        _pod(ref, template["spec"], "spec.template.spec", claimed)
        _labels(ref, template["metadata"].get("labels", {}), "spec.template.metadata.labels")
    if ref.kind.kind in RULES:
        RULES[ref.kind.kind](ref, live, new)


def _template(obj: Manifest) -> Manifest | None:
    workload = obj["kind"] in {"Deployment", "StatefulSet", "ReplicaSet", "Job"}
    return obj["spec"]["template"] if workload else None


def _metadata(ref: Ref, live: Manifest | None, new: Manifest) -> None:
    metadata = new["metadata"]
    if len(ref.name) > 253 or not SUBDOMAIN.fullmatch(ref.name):
        raise invalid(ref, "metadata.name", f'Invalid value: "{ref.name}": a lowercase RFC 1123 subdomain is needed')
    _labels(ref, metadata.get("labels", {}), "metadata.labels")
    for name, text in metadata.get("annotations", {}).items():
        if not isinstance(text, str):
            raise StatusError(400, "BadRequest", f"annotation {name} is not a string")
        if not QUALIFIED.fullmatch(name.lower()):
            raise invalid(ref, "metadata.annotations", f'Invalid value: "{name}": not a qualified name')
    owners = metadata.get("ownerReferences", [])
    for owner in owners:
        for field in ("apiVersion", "kind", "name", "uid"):
            if not owner.get(field):
                raise invalid(ref, f"metadata.ownerReferences.{field}", 'Invalid value: "": must not be empty')
    controllers = [owner for owner in owners if owner.get("controller")]
    if len(controllers) > 1:
        names = " and ".join(f"{owner['kind']}/{owner['name']}" for owner in controllers[:2])
        raise invalid(
            ref,
            "metadata.ownerReferences",
            "Invalid value: Only one reference can have Controller set to true. "
            f'Found "true" in references for {names}',
        )
    for finalizer in metadata.get("finalizers", []):
        if "/" not in finalizer and finalizer not in {"orphan", "foregroundDeletion"}:
            raise invalid(
                ref, "metadata.finalizers", f'Invalid value: "{finalizer}": name is neither standard nor qualified'
            )
    if live is None:
        return
    if "deletionTimestamp" in live["metadata"]:
        new_ones = set(metadata.get("finalizers", [])) - set(live["metadata"].get("finalizers", []))
        if new_ones:
            raise invalid(
                ref,
                "metadata.finalizers",
                "Forbidden: no new finalizers can be added if the object is being deleted, "
                f"found new finalizers {sorted(new_ones)}",
            )


def _labels(ref: Ref, labels: Manifest, field: str) -> None:
    for name, value in labels.items():
        if not QUALIFIED.fullmatch(name):
            raise invalid(ref, field, f'Invalid value: "{name}": not a qualified name')
        if not isinstance(value, str):
            raise StatusError(400, "BadRequest", f"label {name} is not a string")
        if len(value) > 63:
            raise invalid(ref, field, f'Invalid value: "{value}": must be no more than 63 bytes')
        if not LABEL_VALUE.fullmatch(value):
            raise invalid(
                ref, field, f'Invalid value: "{value}": a valid label must be empty or alphanumeric with - _ .'
            )


def _pod(ref: Ref, spec: Manifest, field: str, claimed: AbstractSet[str] = frozenset()) -> None:
    containers = spec.get("containers", [])
    if not containers:
        raise invalid(ref, f"{field}.containers", "Required value")
    volumes = _unique(ref, spec.get("volumes", []), f"{field}.volumes") | claimed
    _unique(ref, [*containers, *spec.get("initContainers", [])], f"{field}.containers")
    for container in [*containers, *spec.get("initContainers", [])]:
        here = f"{field}.containers[{container['name']}]"
        if not container.get("image"):
            raise invalid(ref, f"{here}.image", "Required value")
        mounts = [mount["mountPath"] for mount in container.get("volumeMounts", [])]
        if len(mounts) != len(set(mounts)):
            raise invalid(ref, f"{here}.volumeMounts", "Invalid value: must be unique")
        for mount in container.get("volumeMounts", []):
            if mount["name"] not in volumes:
                raise invalid(ref, f"{here}.volumeMounts", f'Not found: "{mount["name"]}"')
            if mount.get("subPath", "").startswith("/") or ".." in mount.get("subPath", "").split("/"):
                raise invalid(ref, f"{here}.volumeMounts.subPath", "Invalid value: must be a relative path")
        for port in container.get("ports", []):
            _port(ref, port["containerPort"], f"{here}.ports")
            if "name" in port and not PORT_NAME.fullmatch(port["name"]):
                raise invalid(
                    ref, f"{here}.ports.name", f'Invalid value: "{port["name"]}": must be no more than 15 characters'
                )
        for env in container.get("env", []):
            if "value" in env and not isinstance(env["value"], str):
                raise StatusError(400, "BadRequest", f"env {env['name']}: value is not a string")
            if env.get("value") and "valueFrom" in env:
                raise invalid(ref, f"{here}.env", "Invalid value: may not be specified when `value` is not empty")
        resources = container.get("resources", {})
        for name, request in resources.get("requests", {}).items():
            limit = resources.get("limits", {}).get(name)
            if limit is not None and number(request) > number(limit):
                raise invalid(
                    ref,
                    f"{here}.resources.requests",
                    f'Invalid value: "{request}": must be less than or equal to {name} limit of {limit}',
                )
    for volume in spec.get("volumes", []):
        if len(volume.keys() - {"name"}) > 1:
            raise invalid(
                ref, f"{field}.volumes[{volume['name']}]", "Forbidden: may not specify more than 1 volume type"
            )


def _unique(ref: Ref, items: Iterable[Manifest], field: str) -> set[str]:
    names: set[str] = set()
    for item in items:
        name = item.get("name", "")
        if not LABEL.fullmatch(name) or len(name) > 63:
            raise invalid(ref, f"{field}.name", f'Invalid value: "{name}": a lowercase RFC 1123 label is needed')
        if name in names:
            raise invalid(ref, f"{field}.name", f'Duplicate value: "{name}"')
        names.add(name)
    return names


def _port(ref: Ref, port: Any, field: str) -> None:
    if not isinstance(port, int) or not 0 < port < 65536:
        raise invalid(ref, field, f"Invalid value: {port}: must be between 1 and 65535, inclusive")


def _selector(ref: Ref, live: Manifest | None, new: Manifest) -> None:
    selector = new["spec"].get("selector")
    if not selector:
        raise invalid(ref, "spec.selector", "Required value")
    labels = new["spec"]["template"]["metadata"].get("labels", {})
    if not selector.get("matchLabels", {}).items() <= labels.items():
        raise invalid(
            ref, "spec.template.metadata.labels", "Invalid value: `selector` does not match template `labels`"
        )
    if live is not None and live["spec"]["selector"] != selector:
        raise invalid(ref, "spec.selector", f"Invalid value: {IMMUTABLE}")


def _restarts(ref: Ref, new: Manifest, allowed: set[str]) -> None:
    policy = new["spec"]["template"]["spec"].get("restartPolicy", "")
    if policy not in allowed:
        raise invalid(ref, "spec.template.spec.restartPolicy", f'Unsupported value: "{policy}"')


def _deployment(ref: Ref, live: Manifest | None, new: Manifest) -> None:
    _selector(ref, live, new)
    _restarts(ref, new, {"Always"})
    strategy = new["spec"]["strategy"]
    if strategy["type"] == "Recreate" and "rollingUpdate" in strategy:
        raise invalid(
            ref, "spec.strategy.rollingUpdate", "Forbidden: may not be specified when strategy `type` is 'Recreate'"
        )


STATEFUL_SET_MUTABLE = {
    "minReadySeconds",
    "ordinals",
    "persistentVolumeClaimRetentionPolicy",
    "replicas",
    "revisionHistoryLimit",
    "template",
    "updateStrategy",
}


def _stateful_set(ref: Ref, live: Manifest | None, new: Manifest) -> None:
    _selector(ref, None, new)
    _restarts(ref, new, {"Always"})
    if live is None:
        return
    templates = new["spec"].get("volumeClaimTemplates")
    if live["spec"].get("volumeClaimTemplates") != templates:
        # The real one shows them as Go does.
        raise invalid(ref, "spec.volumeClaimTemplates", f"Invalid value: {json.dumps(templates)}: {IMMUTABLE}")
    fixed = [{k: v for k, v in obj["spec"].items() if k not in STATEFUL_SET_MUTABLE} for obj in (live, new)]
    if fixed[0] != fixed[1]:
        allowed = ", ".join(f"'{name}'" for name in sorted(STATEFUL_SET_MUTABLE))
        raise invalid(
            ref, "spec", f"Forbidden: updates to statefulset spec for fields other than {allowed} are forbidden"
        )


def _job(ref: Ref, live: Manifest | None, new: Manifest) -> None:
    if len(ref.name) > 63:
        raise invalid(ref, "spec.template.labels", "Invalid value: must be no more than 63 characters")
    _restarts(ref, new, {"Never", "OnFailure"})
    if live is None:
        return
    for field in ("template", "selector", "completions", "completionMode", "podFailurePolicy"):
        if live["spec"].get(field) != new["spec"].get(field):
            raise invalid(ref, f"spec.{field}", f"Invalid value: {IMMUTABLE}")


def _claim(ref: Ref, live: Manifest | None, new: Manifest) -> None:
    spec = new["spec"]
    wanted = spec.get("resources", {}).get("requests", {}).get("storage")
    if wanted is None:
        raise invalid(ref, "spec.resources[storage]", "Required value")
    if not spec.get("accessModes"):
        raise invalid(ref, "spec.accessModes", "Required value: at least 1 access mode is required")
    if live is None:
        return
    fixed = [
        {k: v for k, v in obj["spec"].items() if k not in {"resources", "volumeName", "volumeAttributesClassName"}}
        for obj in (live, new)
    ]
    late_class = "storageClassName" not in fixed[0]
    if late_class:
        fixed[1].pop("storageClassName", None)
    had = live["spec"]["resources"]["requests"]["storage"]
    grows = number(wanted) > number(had)
    if fixed[0] != fixed[1] or (grows and live["status"]["phase"] != "Bound"):
        raise invalid(
            ref,
            "spec",
            "Forbidden: spec is immutable after creation except resources.requests and "
            "volumeAttributesClassName for bound claims\n  core.PersistentVolumeClaimSpec{\n  \t... // 2 identical",
        )
    if number(wanted) < number(had):
        raise invalid(ref, "spec.resources.requests.storage", "Forbidden: field can not be less than status.capacity")


def _service(ref: Ref, live: Manifest | None, new: Manifest) -> None:
    if len(ref.name) > 63 or not SERVICE_NAME.fullmatch(ref.name):
        raise invalid(ref, "metadata.name", f'Invalid value: "{ref.name}": a DNS-1035 label is needed')
    ports = new["spec"].get("ports", [])
    headless = new["spec"].get("clusterIP") == "None"
    if not ports and not headless and new["spec"]["type"] != "ExternalName":
        raise invalid(ref, "spec.ports", "Required value")
    for port in ports:
        _port(ref, port["port"], "spec.ports")
        if len(ports) > 1 and not port.get("name"):
            raise invalid(ref, "spec.ports.name", "Required value")
    if live is not None and live["spec"].get("clusterIP") != new["spec"].get("clusterIP"):
        raise invalid(ref, "spec.clusterIPs[0]", f"Invalid value: {IMMUTABLE}: may not change once set")


def _config(ref: Ref, live: Manifest | None, new: Manifest) -> None:
    data = new.get("data", {})
    size = 0
    for name, text in data.items():
        if not CONFIG_KEY.fullmatch(name):
            raise invalid(ref, f"data[{name}]", f'Invalid value: "{name}": a valid config key is needed')
        if not isinstance(text, str):
            raise StatusError(400, "BadRequest", f"data.{name} is not a string")
        size += len(text)
    if size > 1024 * 1024:
        raise invalid(ref, "data", "Too long: may not be more than 1048576 bytes")
    if live is None:
        return
    if live.get("type") != new.get("type"):
        raise invalid(ref, "type", f"Invalid value: {IMMUTABLE}")
    if live.get("immutable") and live.get("data") != data:
        raise invalid(ref, "data", "Forbidden: field is immutable when `immutable` is set")


def _ingress(ref: Ref, live: Manifest | None, new: Manifest) -> None:
    spec = new["spec"]
    if not spec.get("rules") and "defaultBackend" not in spec:
        raise invalid(ref, "spec", "Invalid value: either `defaultBackend` or `rules` must be specified")
    for rule in spec.get("rules", []):
        host = rule.get("host", "")
        if host and not SUBDOMAIN.fullmatch(host.removeprefix("*.")):
            raise invalid(ref, "spec.rules.host", f'Invalid value: "{host}": a lowercase RFC 1123 subdomain is needed')
        for path in rule.get("http", {}).get("paths", []):
            if not path.get("pathType"):
                raise invalid(ref, "spec.rules.http.paths.pathType", "Required value: pathType must be specified")


def _pod_itself(ref: Ref, live: Manifest | None, new: Manifest) -> None:
    _pod(ref, new["spec"], "spec")


def number(text: str) -> float:
    """A quantity as a number, to compare with."""
    canonical = quantity(text)
    digits = canonical.rstrip("KMGTPEikmnu")
    suffix = canonical[len(digits) :]
    powers = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40, "Pi": 2**50, "Ei": 2**60}
    tens = {"n": 1e-9, "u": 1e-6, "m": 1e-3, "": 1, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15, "E": 1e18}
    return float(digits) * (powers[suffix] if suffix in powers else tens[suffix])


def expandable(ref: Ref, live: Manifest, new: Manifest, storage_class: Manifest | None) -> None:
    """Refuse to grow a claim whose class does not allow it."""
    had, wanted = (obj["spec"]["resources"]["requests"]["storage"] for obj in (live, new))
    allowed = storage_class is not None and storage_class.get("allowVolumeExpansion", False)
    if number(wanted) > number(had) and not allowed:
        raise forbidden(
            ref,
            "only dynamically provisioned pvc can be resized and "
            "the storageclass that provisions the pvc must support resize",
        )


RULES: dict[str, Callable[[Ref, Manifest | None, Manifest], None]] = {
    "ConfigMap": _config,
    "Deployment": _deployment,
    "Ingress": _ingress,
    "Job": _job,
    "PersistentVolumeClaim": _claim,
    "Pod": _pod_itself,
    "Secret": _config,
    "Service": _service,
    "StatefulSet": _stateful_set,
}
