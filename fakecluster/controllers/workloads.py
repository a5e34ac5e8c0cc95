"""Deployments, ReplicaSets and StatefulSets: templates become pods, and pods become counts."""

import hashlib
import json
from collections.abc import Callable

from fakecluster.apiserver.errors import StatusError
from fakecluster.apiserver.verbs import REPLICA_SET
from fakecluster.controllers.simulator import MANAGER, Action, Rule, Simulator
from frappe_operator.kube import kinds
from frappe_operator.kube.kinds import Kind, Ref
from frappe_operator.kube.objects import Manifest

HASH = "pod-template-hash"
REVISION = "controller-revision-hash"
REVISION_ANNOTATION = "deployment.kubernetes.io/revision"


def digest(template: Manifest) -> str:
    """A name for a pod template."""
    return hashlib.sha256(json.dumps(template, sort_keys=True).encode()).hexdigest()[:10]


def ready(pod: Manifest) -> bool:
    conditions = pod["status"].get("conditions", [])
    return "deletionTimestamp" not in pod["metadata"] and any(
        each["type"] == "Ready" and each["status"] == "True" for each in conditions
    )


def owner_of(ref: Ref, obj: Manifest) -> Manifest:
    """The reference that makes `obj` the controller of something."""
    return {
        "apiVersion": ref.kind.api_version,
        "kind": ref.kind.kind,
        "name": ref.name,
        "uid": obj["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }


def pod(name: str, owner: Manifest, namespace: str, template: Manifest, labels: dict[str, str]) -> Manifest:
    """A pod of a template. A name that ends in a dash is completed by the server."""
    metadata = template.get("metadata", {})
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            **({"generateName": name} if name.endswith("-") else {"name": name}),
            "namespace": namespace,
            "labels": {**metadata.get("labels", {}), **labels},
            **({"annotations": metadata["annotations"]} if metadata.get("annotations") else {}),
            "ownerReferences": [owner],
        },
        "spec": template["spec"],
    }


def make_pod(sim: Simulator, made: Manifest, ref: Ref, obj: Manifest) -> None:
    """Creates a pod for a controller; a refusal becomes an Event of the controller's object."""
    try:
        sim.api.create(made, MANAGER)
    except StatusError as refused:
        metadata = made["metadata"]
        words = {
            "StatefulSet": f"create Pod {metadata.get('name')} in StatefulSet {ref.name} failed error: ",
            "Job": "Error creating: ",
            "ReplicaSet": "Error creating: ",
        }[ref.kind.kind]
        _tell(sim, ref, obj, "FailedCreate", words + refused.message)
        raise


def _tell(sim: Simulator, ref: Ref, obj: Manifest, reason: str, note: str) -> None:
    about = {**_kind(ref.kind), "namespace": ref.namespace, "name": ref.name, "uid": obj["metadata"]["uid"]}
    if any(record.obj["regarding"] == about for record in sim.api.store.list(kinds.EVENT, ref.namespace)):
        # The real ones count the same Event up.
        return
    event = {
        **_kind(kinds.EVENT),
        "metadata": {"generateName": f"{ref.name}.", "namespace": ref.namespace},
        "eventTime": sim.api.now().replace("Z", ".000000Z"),
        "reportingController": MANAGER,
        "reportingInstance": MANAGER,
        "action": "Create",
        "reason": reason,
        "type": "Warning",
        "note": note,
        "regarding": about,
    }
    sim.api.create(event, MANAGER)


def deployments(sim: Simulator, ref: Ref, obj: Manifest) -> Action | None:
    """A ReplicaSet for the newest template; older ones shrink when it is up, or first (Recreate)."""
    if "deletionTimestamp" in obj["metadata"]:
        return None
    spec = obj["spec"]
    sets = dict(sim.dependents(obj["metadata"]["uid"], REPLICA_SET))
    name = f"{ref.name}-{digest(spec['template'])}"
    newest = next((each for each in sets if each.name == name), None)
    older = [each for each in sets if each.name != name]
    recreate = spec["strategy"]["type"] == "Recreate"
    waiting = recreate and any(sets[each]["status"].get("replicas") for each in older)
    if newest is None and not waiting and not (recreate and _shrink(sets, older)):
        made = _replica_set(ref, obj, name)
        return Action("deployment", ref, f"make {name}", lambda: sim.api.create(made, MANAGER))
    revision = {REVISION_ANNOTATION: str(len(sets))}
    if newest is not None and not revision.items() <= obj["metadata"].get("annotations", {}).items():
        # The real one writes it as well: a change of the object that is not the operator's.
        patch = {"metadata": {"annotations": revision}}
        return Action("deployment", ref, "number the template", lambda: sim.api.merge(ref, patch, MANAGER, "status"))
    if newest is not None and sets[newest]["spec"]["replicas"] != spec["replicas"]:
        patch = {"spec": {"replicas": spec["replicas"]}}
        return Action("deployment", ref, f"scale {name}", lambda: sim.api.merge(newest, patch, MANAGER))
    up = newest is not None and sets[newest]["status"].get("readyReplicas", 0) >= spec["replicas"]
    shrink = _shrink(sets, older)
    if shrink is not None and (recreate or up):
        none = {"spec": {"replicas": 0}}
        return Action("deployment", ref, f"{shrink} ends", lambda: sim.api.merge(shrink, none, MANAGER))
    status = _deployment_status(obj, sets, newest)
    if status != obj.get("status", {}):
        return Action("deployment", ref, "count", lambda: sim.set_status(ref, status))
    return None


def _shrink(sets: dict[Ref, Manifest], older: list[Ref]) -> Ref | None:
    return next((each for each in older if sets[each]["spec"]["replicas"]), None)


def _replica_set(ref: Ref, obj: Manifest, name: str) -> Manifest:
    label = {HASH: name.rsplit("-", 1)[1]}
    template, selector = obj["spec"]["template"], obj["spec"]["selector"]["matchLabels"]
    labels = {**template["metadata"].get("labels", {}), **label}
    return {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {
            "name": name,
            "namespace": ref.namespace,
            "labels": labels,
            "ownerReferences": [owner_of(ref, obj)],
        },
        "spec": {
            "replicas": obj["spec"]["replicas"],
            "selector": {"matchLabels": {**selector, **label}},
            "template": {**template, "metadata": {**template["metadata"], "labels": labels}},
        },
    }


def _deployment_status(obj: Manifest, sets: dict[Ref, Manifest], newest: Ref | None) -> Manifest:
    counts = {
        name: sum(found["status"].get(name, 0) for found in sets.values())
        for name in ("replicas", "readyReplicas", "availableReplicas")
    }
    wanted = obj["spec"]["replicas"]
    updated = sets[newest]["status"].get("replicas", 0) if newest else 0
    available = counts["availableReplicas"] >= wanted
    why = "MinimumReplicasAvailable" if available else "MinimumReplicasUnavailable"
    status: Manifest = {
        "observedGeneration": obj["metadata"]["generation"],
        **{name: count for name, count in counts.items() if count},
        "conditions": [
            {"type": "Available", "status": str(available), "reason": why},
            *(_failure(sets[newest]["status"]) if newest else []),
        ],
    }
    if updated:
        status["updatedReplicas"] = updated
    if wanted > counts["availableReplicas"]:
        status["unavailableReplicas"] = wanted - counts["availableReplicas"]
    return status


def replica_sets(sim: Simulator, ref: Ref, obj: Manifest) -> Action | None:
    """As many pods as are wanted."""
    if "deletionTimestamp" in obj["metadata"]:
        return None
    pods = sim.dependents(obj["metadata"]["uid"], kinds.POD)
    active = [(each, found) for each, found in pods if _active(found)]
    wanted = obj["spec"]["replicas"]
    if len(active) < wanted:
        made = pod(f"{ref.name}-", owner_of(ref, obj), ref.namespace, obj["spec"]["template"], {})
        return Action("replicaset", ref, "one more pod", lambda: _make_replica(sim, ref, obj, made))
    if len(active) > wanted:
        victim = min(active, key=lambda each: (ready(each[1]), each[0].name))[0]
        return Action("replicaset", ref, f"{victim} is too many", lambda: sim.api.delete(victim))
    count = sum(ready(found) for _, found in active)
    status: Manifest = {"replicas": len(active), "observedGeneration": obj["metadata"]["generation"]}
    if count:
        status |= {"readyReplicas": count, "availableReplicas": count}
    if status != obj["status"]:
        return Action("replicaset", ref, "count", lambda: sim.set_status(ref, status))
    return None


def _make_replica(sim: Simulator, ref: Ref, obj: Manifest, made: Manifest) -> None:
    try:
        make_pod(sim, made, ref, obj)
    except StatusError as refused:
        failure = {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": refused.message}
        status = sim.api.get(ref).obj.get("status", {})
        if not _failure(status):
            sim.set_status(ref, {**status, "replicas": status.get("replicas", 0), "conditions": [failure]})
        raise


def _failure(status: Manifest) -> list[Manifest]:
    return [each for each in status.get("conditions", []) if each["type"] == "ReplicaFailure"]


def _active(found: Manifest) -> bool:
    ended = found["status"].get("phase") in ("Succeeded", "Failed")
    return "deletionTimestamp" not in found["metadata"] and not ended


def stateful_sets(sim: Simulator, ref: Ref, obj: Manifest) -> Action | None:
    """Pods with names, volumes of their own, one after the other."""
    if "deletionTimestamp" in obj["metadata"]:
        return None
    spec, revision = obj["spec"], f"{ref.name}-{digest(obj['spec']['template'])}"
    for number in range(spec["replicas"]):
        here = Ref(kinds.POD, ref.namespace, f"{ref.name}-{number}")
        found = sim.find(*here)
        if found is not None and not found["metadata"].get("ownerReferences"):
            patch = {"metadata": {"ownerReferences": [owner_of(ref, obj)]}}
            return Action("statefulset", ref, f"adopt {here.name}", _adopting(sim, here, patch))
    pods = {each.name: found for each, found in sim.dependents(obj["metadata"]["uid"], kinds.POD)}
    names = [f"{ref.name}-{number}" for number in range(spec["replicas"])]
    for name in names:
        action = _stateful_pod(sim, ref, obj, name, revision, pods.get(name))
        if action is not None:
            return action
        if name not in pods or not ready(pods[name]):
            # The next one comes when this one is ready.
            break
    for name in sorted(pods.keys() - set(names), reverse=True):
        if "deletionTimestamp" not in pods[name]["metadata"]:
            there = Ref(kinds.POD, ref.namespace, name)
            return Action("statefulset", ref, f"{name} is too many", _deleting(sim, there))
    mine = [found for name, found in pods.items() if name in names]
    current = [found for found in mine if found["metadata"]["labels"].get(REVISION) == revision]
    count = sum(ready(found) for found in mine)
    status: Manifest = {
        "observedGeneration": obj["metadata"]["generation"],
        "replicas": len(mine),
        "readyReplicas": count,
        "availableReplicas": count,
        "currentReplicas": len(current),
        "updatedReplicas": len(current),
        "updateRevision": revision,
    }
    if status != obj["status"]:
        return Action("statefulset", ref, "count", lambda: sim.set_status(ref, status))
    return None


def _adopting(sim: Simulator, ref: Ref, patch: Manifest) -> Callable[[], object]:
    return lambda: sim.api.merge(ref, patch, MANAGER)


def _making(sim: Simulator, obj: Manifest) -> Callable[[], object]:
    return lambda: sim.api.create(obj, MANAGER)


def _deleting(sim: Simulator, ref: Ref) -> Callable[[], object]:
    return lambda: sim.api.delete(ref)


def _stateful_pod(
    sim: Simulator, ref: Ref, obj: Manifest, name: str, revision: str, having: Manifest | None
) -> Action | None:
    spec = obj["spec"]
    claims = {claim["metadata"]["name"]: claim for claim in spec.get("volumeClaimTemplates", [])}
    for template, claim in claims.items():
        claim_name = f"{template}-{name}"
        if sim.find(kinds.PVC, ref.namespace, claim_name) is None:
            metadata = {**claim["metadata"], "name": claim_name, "namespace": ref.namespace}
            labels = {**metadata.get("labels", {}), **spec["selector"]["matchLabels"]}
            made = {**_kind(kinds.PVC), "metadata": {**metadata, "labels": labels}, "spec": claim["spec"]}
            return Action("statefulset", ref, f"make {claim_name}", _making(sim, made))
    here = Ref(kinds.POD, ref.namespace, name)
    if having is None:
        template = json.loads(json.dumps(spec["template"]))
        volumes = [{"name": each, "persistentVolumeClaim": {"claimName": f"{each}-{name}"}} for each in claims]
        template["spec"]["volumes"] = [*template["spec"].get("volumes", []), *volumes]
        labels = {REVISION: revision, "statefulset.kubernetes.io/pod-name": name}
        pod_made = pod(name, owner_of(ref, obj), ref.namespace, template, labels)
        return Action("statefulset", ref, f"make {name}", lambda: make_pod(sim, pod_made, ref, obj))
    # As the real one: a pod that is not ready is waited for, whatever it was made of.
    stale = having["metadata"]["labels"].get(REVISION) != revision and ready(having)
    if stale and "deletionTimestamp" not in having["metadata"]:
        return Action("statefulset", ref, f"{name} is of an older template", lambda: sim.api.delete(here))
    return None


def _kind(kind: Kind) -> Manifest:
    return {"apiVersion": kind.api_version, "kind": kind.kind}


RULES: list[tuple[Kind | None, Rule]] = [
    (kinds.DEPLOYMENT, deployments),
    (REPLICA_SET, replica_sets),
    (kinds.STATEFUL_SET, stateful_sets),
]
