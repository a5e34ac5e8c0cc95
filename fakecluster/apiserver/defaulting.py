"""What the API server writes besides what it was sent: defaults, canonical quantities, empty fields dropped."""

import base64
from collections.abc import Callable, Mapping
from fractions import Fraction
from functools import cache
from math import ceil
from typing import Any

from frappe_operator.kube.objects import Manifest

BINARY = {"Ki": 1, "Mi": 2, "Gi": 3, "Ti": 4, "Pi": 5, "Ei": 6}
DECIMAL = {"n": -3, "u": -2, "m": -1, "": 0, "k": 1, "M": 2, "G": 3, "T": 4, "P": 5, "E": 6}

QUANTITIES = {"limits", "requests", "capacity", "hard"}
FREE_MAPS = {"annotations", "data", "labels", "limits", "matchLabels", "nodeSelector", "requests", "stringData"}
"""Maps of the user's own keys: an empty one is not stored."""
ZEROES = {
    "hostIPC": False,
    "hostNetwork": False,
    "hostPID": False,
    "readOnly": False,
    "stdin": False,
    "subPath": "",
    "tty": False,
    "value": "",
}
"""Fields that are dropped when they hold their zero."""


@cache
def quantity(text: str | int | float) -> str:
    """A quantity as the API server stores it: `1000m` is `1`, `0.5Gi` is `512Mi`. ValueError when it is none."""
    written = str(text)
    suffix = written.lstrip("+-0123456789.")
    number = written[: len(written) - len(suffix)]
    if suffix in BINARY:
        amount = Fraction(number) * Fraction(1024) ** BINARY[suffix]
        if amount.denominator == 1:
            return _written(amount, 1024, {power: name for name, power in BINARY.items()} | {0: ""})
        return _written(amount, 1000, {power: name for name, power in DECIMAL.items()})
    if suffix[:1] in {"e", "E"} and suffix[1:]:
        return written
    if suffix not in DECIMAL or not number:
        raise ValueError(f"{written!r} is not a quantity")
    amount = Fraction(number) * Fraction(1000) ** DECIMAL[suffix]
    return _written(amount, 1000, {power: name for name, power in DECIMAL.items()})


def resource(text: str | int | float) -> str:
    """An amount in a list of resources: the API server rounds it up to thousandths, `1.5m` to `2m`."""
    stored = quantity(text)
    suffix = stored.lstrip("+-0123456789.")
    if suffix not in DECIMAL:
        return stored
    thousandths = Fraction(stored[: len(stored) - len(suffix)]) * Fraction(1000) ** (DECIMAL[suffix] + 1)
    return quantity(f"{ceil(thousandths)}m")


def _written(amount: Fraction, base: int, names: dict[int, str]) -> str:
    if amount == 0:
        return "0"
    power = min(names)
    while power < max(names) and (amount / Fraction(base) ** (power + 1)).denominator == 1:
        power += 1
    return f"{amount / Fraction(base) ** power}{names[power]}"


def fill(kind: str, obj: Manifest) -> Manifest:
    """A built-in object as it is stored. The argument is changed."""
    tidy(obj)
    if kind in FILL:
        FILL[kind](obj)
    return obj


def tidy(value: Any, parent: str = "") -> Any:
    """Drop what Go does not write out, and write quantities in their one form."""
    if isinstance(value, dict):
        for name, inner in list(value.items()):
            if parent in {"data", "stringData", "annotations", "labels", "matchLabels"}:
                continue
            if (
                inner is None
                or (inner == [] and isinstance(inner, list))
                or (inner == {} and name in FREE_MAPS)
                or (name in ZEROES and inner == ZEROES[name] and type(inner) is type(ZEROES[name]))
            ):
                del value[name]
            elif parent in QUANTITIES or name == "sizeLimit":
                value[name] = quantity(inner) if name == "sizeLimit" else resource(inner)
            else:
                tidy(inner, name)
    elif isinstance(value, list):
        for item in value:
            tidy(item, parent)
    return value


def _default(obj: Manifest, **values: Any) -> None:
    for name, value in values.items():
        obj.setdefault(name, value)


def _pod_template(template: Manifest, restart: str = "Always") -> None:
    metadata = template.setdefault("metadata", {})
    # Older clients needed it and it is still written: Go's zero time.
    metadata.pop("creationTimestamp", None)
    _pod_spec(template.setdefault("spec", {}), restart)


def _pod_spec(spec: Manifest, restart: str = "Always") -> None:
    if restart:
        spec.setdefault("restartPolicy", restart)
    _default(
        spec,
        dnsPolicy="ClusterFirst",
        schedulerName="default-scheduler",
        securityContext={},
        terminationGracePeriodSeconds=30,
    )
    if "serviceAccountName" in spec:
        spec["serviceAccount"] = spec["serviceAccountName"]
    for container in [*spec.get("containers", []), *spec.get("initContainers", [])]:
        _container(container)
    for volume in spec.get("volumes", []):
        _volume(volume)


def _container(container: Manifest) -> None:
    image = str(container.get("image", ""))
    latest = image.endswith(":latest") or ":" not in image.rsplit("/", 1)[-1]
    _default(
        container,
        resources={},
        terminationMessagePath="/dev/termination-log",
        terminationMessagePolicy="File",
        imagePullPolicy="Always" if latest and "@" not in image else "IfNotPresent",
    )
    for port in container.get("ports", []):
        _default(port, protocol="TCP")
    for env in container.get("env", []):
        if "fieldRef" in env.get("valueFrom", {}):
            _default(env["valueFrom"]["fieldRef"], apiVersion="v1")
    for probe in ("livenessProbe", "readinessProbe", "startupProbe"):
        if probe in container:
            _default(container[probe], timeoutSeconds=1, periodSeconds=10, successThreshold=1, failureThreshold=3)
            _http(container[probe])
    for hook in container.get("lifecycle", {}).values():
        _http(hook)


def _requests_from_limits(resources: Manifest) -> None:
    limits = resources.get("limits")
    if limits:
        resources["requests"] = {**limits, **resources.get("requests", {})}


def _http(action: Manifest) -> None:
    if "httpGet" in action:
        _default(action["httpGet"], path="/", scheme="HTTP")


def _volume(volume: Manifest) -> None:
    for source in ("secret", "configMap", "downwardAPI", "projected"):
        if source in volume:
            _default(volume[source], defaultMode=0o644)
    for item in volume.get("projected", {}).get("sources", []):
        if "serviceAccountToken" in item:
            _default(item["serviceAccountToken"], expirationSeconds=3600)
    if "hostPath" in volume:
        _default(volume["hostPath"], type="")
    if len(volume) == 1:
        volume["emptyDir"] = {}


def _deployment(obj: Manifest) -> None:
    spec = obj["spec"]
    _default(spec, replicas=1, revisionHistoryLimit=10, progressDeadlineSeconds=600, strategy={})
    strategy = spec["strategy"]
    _default(strategy, type="RollingUpdate")
    if strategy["type"] == "RollingUpdate":
        strategy["rollingUpdate"] = {"maxUnavailable": "25%", "maxSurge": "25%"} | (strategy.get("rollingUpdate") or {})
    _pod_template(spec["template"])
    obj.setdefault("status", {})


def _stateful_set(obj: Manifest) -> None:
    spec = obj["spec"]
    _default(spec, replicas=1, revisionHistoryLimit=10, podManagementPolicy="OrderedReady", updateStrategy={})
    strategy = spec["updateStrategy"]
    _default(strategy, type="RollingUpdate")
    if strategy["type"] == "RollingUpdate":
        strategy["rollingUpdate"] = {"partition": 0, "maxUnavailable": 1} | (strategy.get("rollingUpdate") or {})
    spec["persistentVolumeClaimRetentionPolicy"] = {"whenDeleted": "Retain", "whenScaled": "Retain"} | spec.get(
        "persistentVolumeClaimRetentionPolicy", {}
    )
    _default(spec, serviceName="")
    if not spec["serviceName"]:
        del spec["serviceName"]
    _pod_template(spec["template"])
    for claim in spec.get("volumeClaimTemplates", []):
        _default(claim, apiVersion="v1", kind="PersistentVolumeClaim")
        _default(claim["spec"], volumeMode="Filesystem")
        claim["status"] = {"phase": "Pending"}
    obj.setdefault("status", {}).setdefault("replicas", 0)


def _replica_set(obj: Manifest) -> None:
    _default(obj["spec"], replicas=1)
    _pod_template(obj["spec"]["template"])
    obj.setdefault("status", {}).setdefault("replicas", 0)


def _job(obj: Manifest) -> None:
    spec = obj["spec"]
    _default(
        spec,
        backoffLimit=6,
        completionMode="NonIndexed",
        manualSelector=False,
        podReplacementPolicy="TerminatingOrFailed",
        suspend=False,
    )
    if "completions" not in spec and "parallelism" not in spec:
        _default(spec, completions=1)
    _default(spec, parallelism=1)
    _pod_template(spec["template"], restart="")
    obj.setdefault("status", {})


def identify(job: Manifest) -> None:
    """Adds the selector and labels with the UID of a new Job, which no manager owns."""
    spec, uid = job["spec"], job["metadata"]["uid"]
    if spec["manualSelector"]:
        return
    labels = spec["template"]["metadata"].setdefault("labels", {})
    for name, value in (("controller-uid", uid), ("job-name", job["metadata"]["name"])):
        labels[name] = labels[f"batch.kubernetes.io/{name}"] = value
    spec["selector"] = {"matchLabels": {"batch.kubernetes.io/controller-uid": uid}}


def _service(obj: Manifest) -> None:
    spec = obj.setdefault("spec", {})
    _default(spec, type="ClusterIP", sessionAffinity="None")
    for port in spec.get("ports", []):
        _default(port, protocol="TCP", targetPort=port["port"])
    if spec["sessionAffinity"] == "ClientIP":
        _default(spec, sessionAffinityConfig={"clientIP": {"timeoutSeconds": 10800}})
    if spec["type"] != "ExternalName":
        _default(spec, internalTrafficPolicy="Cluster", ipFamilyPolicy="SingleStack", ipFamilies=["IPv4"])
        if spec.get("clusterIP"):
            spec["clusterIPs"] = [spec["clusterIP"]]
    if spec["type"] in {"NodePort", "LoadBalancer"}:
        _default(spec, externalTrafficPolicy="Cluster")
    obj.setdefault("status", {}).setdefault("loadBalancer", {})


def _claim(obj: Manifest) -> None:
    _default(obj["spec"], volumeMode="Filesystem")
    obj.setdefault("status", {}).setdefault("phase", "Pending")


def _secret(obj: Manifest) -> None:
    _default(obj, type="Opaque")
    texts = obj.pop("stringData", {})
    for name, text in texts.items():
        obj.setdefault("data", {})[name] = base64.b64encode(text.encode()).decode()


def _ingress(obj: Manifest) -> None:
    obj.setdefault("status", {}).setdefault("loadBalancer", {})


def _namespace(obj: Manifest) -> None:
    obj["metadata"].setdefault("labels", {})["kubernetes.io/metadata.name"] = obj["metadata"]["name"]
    _default(obj, spec={"finalizers": ["kubernetes"]}, status={"phase": "Active"})


def _storage_class(obj: Manifest) -> None:
    _default(obj, reclaimPolicy="Delete", volumeBindingMode="Immediate")


def _pod(obj: Manifest) -> None:
    spec = obj["spec"]
    _pod_spec(spec)
    # Of pods only: a template is stored as it was sent.
    for container in [*spec.get("containers", []), *spec.get("initContainers", [])]:
        _requests_from_limits(container["resources"])
    _default(spec, enableServiceLinks=True, preemptionPolicy="PreemptLowerPriority", priority=0)
    obj.setdefault("status", {}).setdefault("phase", "Pending")


def _network_policy(obj: Manifest) -> None:
    spec = obj["spec"]
    for rule in [*spec.get("ingress", []), *spec.get("egress", [])]:
        for port in rule.get("ports", []):
            _default(port, protocol="TCP")
    _default(spec, policyTypes=["Ingress", "Egress"] if spec.get("egress") else ["Ingress"])


def _disruption_budget(obj: Manifest) -> None:
    obj.setdefault("status", {})


FILL: dict[str, Callable[[Manifest], None]] = {
    "Deployment": _deployment,
    "Ingress": _ingress,
    "Job": _job,
    "Namespace": _namespace,
    "NetworkPolicy": _network_policy,
    "PersistentVolumeClaim": _claim,
    "Pod": _pod,
    "PodDisruptionBudget": _disruption_budget,
    "ReplicaSet": _replica_set,
    "Secret": _secret,
    "Service": _service,
    "StatefulSet": _stateful_set,
    "StorageClass": _storage_class,
}


def declared(value: Any, schema: Mapping[str, Any]) -> Any:
    """A custom resource as its CRD keeps it: unknown fields pruned, defaults filled in."""
    if schema.get("x-kubernetes-preserve-unknown-fields"):
        return value
    if isinstance(value, dict):
        fields, extra = schema.get("properties", {}), schema.get("additionalProperties")
        inner = {name: fields.get(name) or (extra if isinstance(extra, dict) else None) for name in value}
        kept = {
            name: declared(value[name], rule) if rule is not None else value[name]
            for name, rule in inner.items()
            if rule is not None or extra is True
        }
        for name, rule in fields.items():
            if name not in kept and "default" in rule:
                kept[name] = declared(rule["default"], rule)
        return kept
    if isinstance(value, list):
        return [declared(item, schema.get("items", {})) for item in value]
    return value
