"""The Job controller: a pod until one succeeds, or too many have failed."""

from fakecluster.controllers.simulator import Action, Rule, Simulator
from fakecluster.controllers.workloads import make_pod, owner_of, pod
from frappe_operator.kube import kinds
from frappe_operator.kube.kinds import Kind, Ref
from frappe_operator.kube.objects import Manifest


def jobs(sim: Simulator, ref: Ref, obj: Manifest) -> Action | None:
    """What the controller does next about a Job."""
    spec, status = obj["spec"], obj.get("status", {})
    finished = any(each["type"] in ("Complete", "Failed") for each in status.get("conditions", []))
    if finished or "deletionTimestamp" in obj["metadata"] or spec["suspend"]:
        return None
    pods = [found for _, found in sim.dependents(obj["metadata"]["uid"], kinds.POD)]
    phases = [found["status"].get("phase") for found in pods]
    active = sum(phase not in ("Succeeded", "Failed") for phase in phases)
    failed, succeeded = phases.count("Failed"), phases.count("Succeeded")
    new: Manifest = {"startTime": status.get("startTime", sim.api.now())}
    new |= {name: count for name, count in (("active", active), ("succeeded", succeeded), ("failed", failed)) if count}
    if succeeded >= spec.get("completions", 1):
        new["conditions"] = _true(sim, "CompletionsReached", "SuccessCriteriaMet", "Complete")
        new["completionTime"] = sim.api.now()
    elif failed > spec["backoffLimit"]:
        new["conditions"] = _true(sim, "BackoffLimitExceeded", "FailureTarget", "Failed")
    elif not active:
        made = pod(f"{ref.name}-", owner_of(ref, obj), ref.namespace, spec["template"], {})
        return Action("job", ref, "one more pod", lambda: make_pod(sim, made, ref, obj))
    if new != status:
        return Action("job", ref, "count", lambda: sim.set_status(ref, new))
    return None


def _true(sim: Simulator, reason: str, *names: str) -> list[Manifest]:
    now = sim.api.now()
    return [{"type": name, "status": "True", "reason": reason, "lastTransitionTime": now} for name in names]


RULES: list[tuple[Kind | None, Rule]] = [(kinds.JOB, jobs)]
