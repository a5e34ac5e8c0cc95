"""Volumes: claims are bound and expanded, and not deleted while a pod uses them."""

from typing import Any

from fakecluster.apiserver.validation import number
from fakecluster.controllers.simulator import MANAGER, Action, Rule, Simulator, claims_of
from frappe_operator.kube import kinds
from frappe_operator.kube.kinds import Kind, Ref
from frappe_operator.kube.objects import Manifest

PROTECTION = "kubernetes.io/pvc-protection"


def claims(sim: Simulator, ref: Ref, obj: Manifest) -> Action | None:
    """A claim is bound according to its class, and deleted once no pod mounts it."""
    users = [pod for pod in _pods(sim, ref.namespace) if ref.name in claims_of(pod)]
    metadata, spec, status = obj["metadata"], obj["spec"], obj["status"]
    if "deletionTimestamp" in metadata:
        finalizers = metadata.get("finalizers", [])
        if PROTECTION not in finalizers or users:
            return None
        patch = {"metadata": {"finalizers": [each for each in finalizers if each != PROTECTION] or None}}
        return Action("volumes", ref, "nobody uses it", lambda: sim.api.merge(ref, patch, MANAGER))
    wanted = spec["resources"]["requests"]["storage"]
    if status["phase"] == "Bound":
        if number(wanted) <= number(status["capacity"]["storage"]):
            return None
        return Action("volumes", ref, "grow", lambda: sim.set_status(ref, {**status, "capacity": {"storage": wanted}}))
    found = sim.find(kinds.STORAGE_CLASS, "", spec.get("storageClassName", ""))
    if found is None:
        return None
    late = found["volumeBindingMode"] == "WaitForFirstConsumer"
    if late and not any(pod["spec"].get("nodeName") for pod in users):
        return None
    return Action("volumes", ref, "bind", lambda: _bind(sim, ref, spec))


def _bind(sim: Simulator, ref: Ref, spec: Manifest) -> None:
    uid = sim.api.get(ref).obj["metadata"]["uid"]
    sim.api.merge(ref, {"spec": {"volumeName": f"pvc-{uid}"}}, MANAGER)
    capacity = {"storage": spec["resources"]["requests"]["storage"]}
    sim.set_status(ref, {"phase": "Bound", "accessModes": spec["accessModes"], "capacity": capacity})


def _pods(sim: Simulator, namespace: str) -> list[Manifest]:
    """Pods that hold on to their volumes: those that have ended do not."""
    pods = [record.obj for record in sim.api.store.list(kinds.POD, namespace)]
    return [pod for pod in pods if pod["status"].get("phase") not in ("Succeeded", "Failed")]


def storage_class(name: str = "standard", *, default: bool = True, **fields: Any) -> Manifest:
    """A StorageClass, the cluster's default one unless said otherwise."""
    annotations = {"storageclass.kubernetes.io/is-default-class": "true"} if default else {}
    return {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {"name": name, **({"annotations": annotations} if annotations else {})},
        "provisioner": "example.com/disk",
        "allowVolumeExpansion": True,
        **fields,
    }


RULES: list[tuple[Kind | None, Rule]] = [(kinds.PVC, claims)]
