"""The scheduler and the kubelet: pods are placed, started and ended; programs of Jobs end as a test scripts it."""

import hashlib
import re
from collections.abc import Callable, Mapping
from fnmatch import fnmatch
from typing import Any, NamedTuple, TypeVar

from fakecluster.apiserver.validation import number
from fakecluster.controllers.simulator import Action, Simulator, claims_of
from frappe_operator.kube import kinds
from frappe_operator.kube.kinds import Ref
from frappe_operator.kube.names import JOB_LABEL
from frappe_operator.kube.objects import Manifest

T = TypeVar("T")

NODE = "node-1"
FIRST_BACKOFF_SECONDS, LONGEST_BACKOFF_SECONDS = 10.0, 300.0


class Exit(NamedTuple):
    """How a program ended."""

    code: int = 0
    message: str = ""
    """Its termination message."""


class Crash(NamedTuple):
    """A program that ends by itself, again and again."""

    end: Exit
    after: float = 1.0
    """Seconds it runs."""
    reason: str = "Error"


Program = Callable[[Manifest, int], Exit | None]
"""Runs a Job's pod, for the n-th time (from 0); None: it does not end yet."""


def succeeds(pod: Manifest, attempt: int) -> Exit | None:
    """A program that is always well at once."""
    return Exit()


def image_digest(name: str, word: str = "") -> str:
    """The digest of what a registry has under a name, before its tag has moved or since."""
    return f"sha256:{hashlib.sha256(f'{name} {word}'.encode()).hexdigest()}"


class Kubelet:
    """Everything that happens on nodes."""

    def __init__(self, program: Program = succeeds) -> None:
        self.program = program
        self.broken: set[str] = set()
        """Patterns of names of pods that do not become ready, or stop being so."""
        self.crashes: dict[str, Crash] = {}
        """By pattern of the pod's name: programs that end although they should run for ever."""
        self.pulls: dict[str, tuple[str, str]] = {}
        """By pattern of the pod's name: why its image does not come, as reason and message."""
        self.cpu: float | None = None
        """What there is on the node; None: enough."""
        self.slow: set[str] = set()
        """Patterns of names of pods that take their time to end: a worker that is at a job."""
        self.moved: dict[str, str] = {}
        """By image as it is named: what its tag names in the registry since it has moved; any word."""
        self.by_hand = False
        """Whether images were loaded onto the node by hand: then it knows no digest of theirs."""
        self._node: dict[str, str] = {}
        """Images on the node: by name, the digest."""
        self._images: dict[tuple[str, str], str] = {}
        """By pod's uid and container: the `imageID`."""
        self.started_with: dict[str, dict[str, Manifest]] = {}
        """By pod's uid: the Secrets that it found when it began, by name, with their data."""
        self._addresses = 0
        self._again: dict[str, float] = {}
        """By pod's uid, when its program is started again."""
        self._running: set[str] = set()
        """Uids of pods whose program has not ended."""

    def end_hanging_programs(self) -> None:
        """Ask the programs that did not end whether they do now."""
        self._running.clear()

    def forget_images(self) -> None:
        """The node is another one: what starts from now on is pulled."""
        self._node.clear()

    def _image_id(self, pod: Manifest, container: Manifest) -> str:
        """The image of a container, pulled at its first start according to its pull policy."""
        key = pod["metadata"]["uid"], container["name"]
        if key not in self._images:
            name, at, pinned = container["image"].partition("@")
            if at:
                digest = pinned
            else:
                if container.get("imagePullPolicy") == "Always" or name not in self._node:
                    self._node[name] = image_digest(name, self.moved.get(name, ""))
                digest = self._node[name]
            repository = re.sub(r":[^/:]*$", "", name)
            self._images[key] = digest if self.by_hand else f"{repository}@{digest}"
        return self._images[key]

    def _statuses(self, pod: Manifest, state: Manifest, **more: Any) -> list[Manifest]:
        """The containers' statuses, with what they run once they have begun."""
        statuses = _statuses(pod, state, **more)
        if "waiting" in state and not more.get("last"):
            return statuses
        containers = pod["spec"]["containers"]
        return [
            {**status, "imageID": self._image_id(pod, container)}
            for status, container in zip(statuses, containers, strict=True)
        ]

    def rule(self, sim: Simulator, ref: Ref, pod: Manifest) -> Action | None:
        """What happens next to a pod."""
        if "deletionTimestamp" in pod["metadata"]:
            if any(fnmatch(ref.name, pattern) for pattern in self.slow):
                return None
            return Action("kubelet", ref, "ends", lambda: sim.api.finish(ref))
        phase = pod["status"].get("phase")
        if phase in ("Succeeded", "Failed"):
            return None
        if not pod["spec"].get("nodeName"):
            return self._place(sim, ref, pod)
        if phase == "Pending":
            return self._start(sim, ref, pod)
        if crash := _matching(self.crashes, ref.name):
            return self._crash(sim, ref, pod, crash)
        if JOB_LABEL in pod["metadata"].get("labels", {}):
            return self._run(sim, ref, pod)
        status = self._serving(sim, ref, pod)
        if status != pod["status"]:
            return Action("kubelet", ref, "readiness", lambda: sim.set_status(ref, status))
        return None

    def _place(self, sim: Simulator, ref: Ref, pod: Manifest) -> Action | None:
        for name in claims_of(pod):
            claim = sim.find(kinds.PVC, ref.namespace, name)
            if claim is None or "deletionTimestamp" in claim["metadata"]:
                return self._unplaceable(sim, ref, pod, f'persistentvolumeclaim "{name}" not found')
            found = sim.find(kinds.STORAGE_CLASS, "", claim["spec"].get("storageClassName", ""))
            late = found is not None and found["volumeBindingMode"] == "WaitForFirstConsumer"
            if claim["status"]["phase"] != "Bound" and not late:
                return self._unplaceable(sim, ref, pod, "pod has unbound immediate PersistentVolumeClaims")
        if self.cpu is not None and self._taken(sim) + _cpu(pod) > self.cpu:
            preemption = "preemption: 0/1 nodes are available: 1 No preemption victims found for incoming pod."
            return self._unplaceable(sim, ref, pod, f"0/1 nodes are available: 1 Insufficient cpu. {preemption}")
        placed = {"spec": {"nodeName": NODE}}
        return Action("scheduler", ref, "place", lambda: sim.api.merge(ref, placed, "kube-scheduler"))

    def _taken(self, sim: Simulator) -> float:
        pods = [record.obj for record in sim.api.store.list(kinds.POD)]
        return sum(
            _cpu(pod)
            for pod in pods
            if pod["spec"].get("nodeName") and pod["status"].get("phase") not in ("Succeeded", "Failed")
        )

    def _unplaceable(self, sim: Simulator, ref: Ref, pod: Manifest, why: str) -> Action | None:
        before = pod["status"].get("conditions", [{}])[0]
        since = before.get("lastTransitionTime", sim.api.now())
        condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": why}
        status = {"phase": "Pending", "conditions": [{**condition, "lastTransitionTime": since}]}
        if pod["status"] == status:
            return None
        return Action("scheduler", ref, why, lambda: sim.set_status(ref, status))

    def _start(self, sim: Simulator, ref: Ref, pod: Manifest) -> Action | None:
        pull = _matching(self.pulls, ref.name)
        missing = f"{pull[0]}: {pull[1]}" if pull else self._missing(sim, ref, pod)
        if missing is not None:
            why = {"reason": pull[0], "message": pull[1]} if pull else {"reason": "ContainerCreating"}
            waiting = {"waiting": why}
            status = {
                "phase": "Pending",
                "conditions": _placed(False),
                "containerStatuses": self._statuses(pod, waiting),
            }
            if pod["status"] == status:
                return None
            return Action("kubelet", ref, f"waits for {missing}", lambda: sim.set_status(ref, status))
        return Action("kubelet", ref, "start", lambda: self._started(sim, ref, pod))

    def _missing(self, sim: Simulator, ref: Ref, pod: Manifest) -> str | None:
        for name in claims_of(pod):
            claim = sim.find(kinds.PVC, ref.namespace, name)
            if claim is None or claim["status"]["phase"] != "Bound":
                return f"claim {name}"
        for kind, name, keys in _read_by(pod):
            found = sim.find(kind, ref.namespace, name)
            if found is None:
                return f"{kind.kind} {name}"
            absent = [key for key in keys if key not in {**found.get("data", {}), **found.get("binaryData", {})}]
            if absent:
                return f"key {absent[0]} of {kind.kind} {name}"
        return None

    def _started(self, sim: Simulator, ref: Ref, pod: Manifest) -> None:
        secrets = {name: sim.find(kind, ref.namespace, name) for kind, name, _ in _read_by(pod) if kind is kinds.SECRET}
        data = {name: dict(found.get("data", {})) for name, found in secrets.items() if found is not None}
        self.started_with[pod["metadata"]["uid"]] = data
        self._addresses += 1
        address = f"10.244.{self._addresses // 250}.{self._addresses % 250 + 1}"
        begun = {**pod, "status": {"startTime": sim.api.now(), "podIP": address, "podIPs": [{"ip": address}]}}
        if JOB_LABEL in pod["metadata"].get("labels", {}):
            running = self._statuses(pod, {"running": {"startedAt": sim.api.now()}})
            status = {**_address(begun), "phase": "Running", "conditions": _placed(False)}
            sim.set_status(ref, {**status, "containerStatuses": running})
        else:
            sim.set_status(ref, self._serving(sim, ref, begun))

    def _serving(self, sim: Simulator, ref: Ref, pod: Manifest) -> Manifest:
        broken = any(fnmatch(ref.name, pattern) for pattern in self.broken)
        statuses: list[Manifest] = pod["status"].get("containerStatuses", [])
        found: Manifest = statuses[0] if statuses else {"restartCount": 0, "state": {}, "lastState": {}}
        state = {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off restarting failed container"}}
        if not broken:
            state = {"running": found["state"].get("running") or {"startedAt": sim.api.now()}}
        restarts, last = found["restartCount"], found["lastState"]
        return {
            **_address(pod),
            "phase": "Running",
            "conditions": _placed(not broken, _since(sim, pod, not broken)),
            "containerStatuses": self._statuses(pod, state, ready=not broken, restarts=restarts, last=last),
            **_init_statuses(pod),
        }

    def _crash(self, sim: Simulator, ref: Ref, pod: Manifest, crash: Crash) -> Action | None:
        """Runs and ends by turns, with a pause that becomes longer."""
        found = pod["status"]["containerStatuses"][0]
        running, restarts = found["state"].get("running"), found["restartCount"]
        if running is not None:
            began = sim.api.seconds(running["startedAt"])
            return Action("kubelet", ref, "ends", lambda: self._crashed(sim, ref, pod, crash), at=began + crash.after)
        # The first time there is no backoff, but to make a container takes its time.
        wait = min(FIRST_BACKOFF_SECONDS * 2 ** (restarts - 2), LONGEST_BACKOFF_SECONDS) if restarts > 1 else 1.0
        ended = found["lastState"].get("terminated", {}).get("finishedAt", sim.api.now())
        again = sim.api.seconds(ended) + wait
        return Action("kubelet", ref, "starts again", lambda: self._runs_again(sim, ref, pod), at=again)

    def _crashed(self, sim: Simulator, ref: Ref, pod: Manifest, crash: Crash) -> None:
        found = pod["status"]["containerStatuses"][0]
        terminated = {
            "exitCode": crash.end.code,
            "reason": crash.reason,
            "startedAt": found["state"]["running"]["startedAt"],
            "finishedAt": sim.api.now(),
            **({"message": crash.end.message} if crash.end.message else {}),
        }
        waiting = {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off restarting failed container"}}
        restarts = found["restartCount"] + 1
        statuses = self._statuses(pod, waiting, restarts=restarts, last={"terminated": terminated})
        sim.set_status(ref, {**pod["status"], "conditions": _placed(False), "containerStatuses": statuses})

    def _runs_again(self, sim: Simulator, ref: Ref, pod: Manifest) -> None:
        found = pod["status"]["containerStatuses"][0]
        running = {"running": {"startedAt": sim.api.now()}}
        statuses = self._statuses(pod, running, ready=True, restarts=found["restartCount"], last=found["lastState"])
        sim.set_status(ref, {**pod["status"], "conditions": _placed(True), "containerStatuses": statuses})

    def _run(self, sim: Simulator, ref: Ref, pod: Manifest) -> Action | None:
        uid, attempt = pod["metadata"]["uid"], pod["status"]["containerStatuses"][0]["restartCount"]
        if uid in self._running:
            return None
        again = self._again.get(uid, 0.0)
        return Action("kubelet", ref, f"run {attempt}", lambda: self._ran(sim, ref, pod, attempt), at=again)

    def _ran(self, sim: Simulator, ref: Ref, pod: Manifest, attempt: int) -> None:
        ended = self.program(pod, attempt)
        if ended is None:
            self._running.add(pod["metadata"]["uid"])
            return
        why = "Error" if ended.code else "Completed"
        terminated: Manifest = {"exitCode": ended.code, "reason": why, "finishedAt": sim.api.now()}
        if ended.message:
            terminated["message"] = ended.message
        status = {**pod["status"], **_init_statuses(pod)}
        if ended.code and pod["spec"]["restartPolicy"] == "OnFailure":
            wait = min(FIRST_BACKOFF_SECONDS * 2**attempt, LONGEST_BACKOFF_SECONDS)
            self._again[pod["metadata"]["uid"]] = sim.now() + wait
            waiting = {"reason": "CrashLoopBackOff", "message": "back-off restarting failed container"}
            containers = self._statuses(
                pod, {"waiting": waiting}, restarts=attempt + 1, last={"terminated": terminated}
            )
        else:
            status |= {"phase": "Failed" if ended.code else "Succeeded"}
            containers = self._statuses(pod, {"terminated": terminated}, restarts=attempt)
        sim.set_status(ref, {**status, "containerStatuses": containers})


def _read_by(pod: Manifest) -> list[tuple[Any, str, list[str]]]:
    """Secrets and ConfigMaps without which a pod does not start, with the keys it must find there."""
    found = []
    for volume in pod["spec"].get("volumes", []):
        sources = [volume, *volume.get("projected", {}).get("sources", [])]
        for source in sources:
            for field, kind, name in (("secret", kinds.SECRET, "secretName"), ("configMap", kinds.CONFIG_MAP, "name")):
                what = source.get(field)
                if what is not None and not what.get("optional"):
                    keys = [item["key"] for item in what.get("items", [])]
                    found.append((kind, what.get(name) or what["name"], keys))
    for container in [*pod["spec"]["containers"], *pod["spec"].get("initContainers", [])]:
        for env in container.get("env", []):
            source = env.get("valueFrom", {})
            for field, kind in (("secretKeyRef", kinds.SECRET), ("configMapKeyRef", kinds.CONFIG_MAP)):
                if field in source and not source[field].get("optional"):
                    found.append((kind, source[field]["name"], [source[field]["key"]]))
    return found


def _address(pod: Manifest) -> Manifest:
    return {name: pod["status"][name] for name in ("podIP", "podIPs", "startTime") if name in pod["status"]}


def _placed(ready: bool, since: str = "") -> list[Manifest]:
    turned = {"lastTransitionTime": since} if since else {}
    return [{"type": "PodScheduled", "status": "True"}, {"type": "Ready", "status": str(ready), **turned}]


def _since(sim: Simulator, pod: Manifest, ready: bool) -> str:
    """Since when a pod is ready, or is not."""
    before = [each for each in pod["status"].get("conditions", []) if each["type"] == "Ready"]
    same = [each for each in before if each["status"] == str(ready) and "lastTransitionTime" in each]
    return str(same[0]["lastTransitionTime"]) if same else sim.api.now()


def _matching(patterns: Mapping[str, T], name: str) -> T | None:
    return next((value for pattern, value in patterns.items() if fnmatch(name, pattern)), None)


def _cpu(pod: Manifest) -> float:
    return sum(
        number(each.get("resources", {}).get("requests", {}).get("cpu", "0")) for each in pod["spec"]["containers"]
    )


def _statuses(
    pod: Manifest, state: Manifest, *, ready: bool = False, restarts: int = 0, last: Manifest | None = None
) -> list[Manifest]:
    return [
        {
            "name": container["name"],
            "ready": ready,
            "restartCount": restarts,
            "state": state,
            "lastState": last or {},
        }
        for container in pod["spec"]["containers"]
    ]


def _init_statuses(pod: Manifest) -> Manifest:
    done = {"terminated": {"exitCode": 0, "reason": "Completed"}}
    ended = [
        {"name": container["name"], "ready": True, "restartCount": 0, "state": done}
        for container in pod["spec"].get("initContainers", [])
    ]
    return {"initContainerStatuses": ended} if ended else {}
