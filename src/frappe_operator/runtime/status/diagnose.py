"""Finds out why workloads and Jobs are not ready: from the status of their pods, and from refused creations of pods.

Pods of workloads are not watched: they are many, and nothing is learned from those that run. They are listed while a
workload is not available, less often the longer that lasts, and once before the owner becomes Ready: a container that
has just been restarted proves nothing yet.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import msgspec
import structlog
from msgspec import Struct

from frappe_operator.kube import pod_failures
from frappe_operator.kube.conditions import READY
from frappe_operator.kube.kinds import DEPLOYMENT, EVENT, JOB, POD, STATEFUL_SET, Ref, ref_of
from frappe_operator.kube.live import Custom, Job, Live, OwnerReference, Pod, PodStatus, Workload
from frappe_operator.kube.objects import Manifest
from frappe_operator.kube.pod_failures import PodFailure
from frappe_operator.kube.readiness import available, pods_missing, succeeded
from frappe_operator.kube.reasons import Reason, Trait, traits
from frappe_operator.kube.stage import Stage, Verdict
from frappe_operator.runtime.client.errors import Conflict
from frappe_operator.runtime.cluster import Cluster

log = structlog.get_logger(__name__)

FIRST_SECONDS = 5.0
"""How long a workload may be unavailable before its pods are listed: most are available by then."""
LONGEST_INTERVAL_SECONDS = 300.0
"""The longest time between two lists of the pods of a workload that stays unavailable."""
REVISION = "controller-revision-hash"
"""Label with the template of a StatefulSet's pod."""

PodsOfJob = Callable[[str], Sequence[Live]]
"""The cached pods of a Job by its name; those that have succeeded need not be among them."""

MOST_FINDINGS = 10_000
"""How many findings are remembered."""

Subject = tuple[str, str]
"""The UID of an owner, and one of its conditions."""


@dataclass
class Finding:
    """What was found out about the workloads of one condition."""

    generations: tuple[object, ...]
    """UIDs and generations of the workloads: when one changes, the finding starts anew."""
    observed: tuple[object, ...]
    """The state that was diagnosed: when it changes, it is diagnosed again."""
    since: float
    """Since when the workloads have been unavailable, in seconds since 1970."""
    until: float
    """Until when the finding is valid, in seconds since 1970."""
    verdict: Verdict | None = None
    """The verdict with its cause; None: no cause was found."""


class Findings:
    """The valid findings. They are lost with the process, which costs one list of pods each."""

    def __init__(self) -> None:
        self._by_subject: dict[Subject, Finding] = {}

    def get(self, subject: Subject) -> Finding | None:
        return self._by_subject.get(subject)

    def put(self, subject: Subject, finding: Finding) -> None:
        self._by_subject[subject] = finding
        if len(self._by_subject) > MOST_FINDINGS:
            del self._by_subject[next(iter(self._by_subject))]

    def forget(self, subject: Subject) -> None:
        """Removes the finding of a subject: there is nothing to diagnose any more."""
        self._by_subject.pop(subject, None)


class Diagnosis(NamedTuple):
    """The result of diagnosing all stages."""

    verdicts: dict[str, Verdict]
    requeue_after: float | None
    """Seconds after which the owner should be reconciled again; None: an event will trigger that."""


class _Meta(Struct, rename="camel"):
    name: str
    uid: str
    resource_version: str
    creation_timestamp: str = ""
    deletion_timestamp: str | None = None
    labels: dict[str, str] = {}
    owner_references: tuple[OwnerReference, ...] = ()


class _Pod(Struct):
    """The parts of a listed pod that are read."""

    metadata: _Meta
    status: PodStatus


class _Child(NamedTuple):
    """A workload or Job of a stage."""

    ref: Ref
    manifest: Manifest
    live: Live


async def diagnose(
    cluster: Cluster, owner: Custom, stages: Sequence[Stage], verdicts: Mapping[str, Verdict], jobs: PodsOfJob
) -> Diagnosis:
    """The verdicts, with the cause where workloads or Jobs are not ready. A verdict that is true only because a
    container has just been restarted becomes false. Sends no request for an owner that is Ready and whose workloads are
    available."""
    found, due = dict(verdicts), []
    for stage in stages:
        verdict = verdicts[stage.condition]
        children = _children(cluster, stage)
        if not children or found[stage.condition] != verdict:
            continue
        finding = await _StageDiagnosis(cluster, owner, stage.condition, verdict, jobs).of(children)
        if finding is None:
            continue
        found[stage.condition] = finding.verdict or verdict
        if finding.until < float("inf"):
            due.append(max(0.0, finding.until - cluster.clock()))
    return Diagnosis(found, min(due, default=None))


def _children(cluster: Cluster, stage: Stage) -> list[_Child]:
    result = []
    for manifest in (*stage.children, *stage.once):
        ref = ref_of(manifest)
        if ref.kind in (DEPLOYMENT, STATEFUL_SET, JOB) and (item := cluster.cached(ref)):
            result.append(_Child(ref, manifest, item.live))
    return result


class _StageDiagnosis:
    """Diagnoses the workloads and Jobs of one stage."""

    def __init__(self, cluster: Cluster, owner: Custom, condition: str, verdict: Verdict, jobs: PodsOfJob) -> None:
        self._cluster = cluster
        self._owner = owner
        self._condition = condition
        self._verdict = verdict
        self._jobs = jobs
        self._now = cluster.clock()
        self._findings = cluster.state(Findings)

    async def of(self, children: Sequence[_Child]) -> Finding | None:
        """The finding about the children, None when there is nothing to diagnose."""
        subject = self._owner.metadata.uid, self._condition
        observed = self._observed(children)
        if observed is None:
            self._findings.forget(subject)
            return None
        generations = tuple((each.live.metadata.uid, each.live.metadata.generation) for each in children)
        last = self._findings.get(subject)
        since = self._since(children) if last is None else last.since if last.generations == generations else self._now
        if last is not None and (last.generations, last.observed) == (generations, observed) and self._now < last.until:
            return last
        finding = await self._found(children, Finding(generations, observed, since, 0.0))
        self._findings.put(subject, finding)
        return finding

    def _observed(self, children: Sequence[_Child]) -> tuple[object, ...] | None:
        """The state to diagnose, None when there is nothing: it changes with everything that may change the finding."""
        if self._verdict.ok:
            workloads = [each for each in children if isinstance(each.live, Workload)]
            if not workloads or self._is_ready():
                return None
            # A container that fails changes the replica counts, and with them the resourceVersion.
            return "available", *((each.ref.name, _version(each.live)) for each in workloads)
        unavailable = [each for each in children if not _is_child_ready(each.live)]
        if self._verdict.blocked or Trait.EXPLAINED_BY_PODS not in traits(self._verdict.reason) or not unavailable:
            return None
        return "unavailable", *(self._state(each) for each in unavailable)

    async def _found(self, children: Sequence[_Child], new: Finding) -> Finding:
        if self._verdict.ok:
            workloads = [each for each in children if isinstance(each.live, Workload)]
            unstable = [each for pod in await self._pods(workloads) if (each := self._of_pod_that_restarts(pod))]
            new.until = self._now + min((each.recheck_after or 0.0 for each in unstable), default=float("inf"))
            new.verdict = Verdict(False, unstable[0].reason, unstable[0].message) if unstable else None
            return new
        age = self._now - new.since
        if age < FIRST_SECONDS:
            new.until = new.since + FIRST_SECONDS
            return new
        unavailable = [each for each in children if not _is_child_ready(each.live)]
        pods = await self._pods([each for each in unavailable if each.ref.kind != JOB])
        troubles = {each.ref.name: (each, found) for each in unavailable if (found := await self._trouble(each, pods))}
        waits = [found.recheck_after for _, found in troubles.values() if found.recheck_after is not None]
        if any(each.ref.kind != JOB or not self._jobs(each.ref.name) for each in unavailable):
            # The pods of Jobs are watched, those of workloads are not.
            waits.append(max(FIRST_SECONDS, min(age / 2, LONGEST_INTERVAL_SECONDS)))
        new.until = self._now + min(waits, default=float("inf"))
        worst = pod_failures.worst(found for _, found in troubles.values())
        if worst is not None:
            child = next(child for child, found in troubles.values() if found is worst)
            new.verdict = self._verdict_with(child, worst)
        return new

    def _state(self, child: _Child) -> object:
        """The part of an unavailable child whose change is diagnosed at once."""
        if isinstance(child.live, Workload):
            return child.ref.name, child.live.status.replicas
        return child.ref.name, tuple((pod.metadata.name, _version(pod)) for pod in self._jobs(child.ref.name))

    def _verdict_with(self, child: _Child, found: PodFailure) -> Verdict:
        name, summary = child.ref.name, self._verdict.message
        if requested := pod_failures.requested(child.manifest["spec"]["template"], found):
            found = found._replace(message=f"{found.message} (it requests {requested})")
        if isinstance(child.live, Workload) and name not in summary:
            summary = pods_missing(child.live)
        if child.ref.kind == JOB:
            summary = f"Job {name} does not run"
        # The reason itself records that MariaDB has answered before.
        keeps = Trait.STAYS_WHEN_EXPLAINED in traits(self._verdict.reason)
        return Verdict(
            False, self._verdict.reason if keeps else found.reason, f"{summary}: {found.message}", found.blocked
        )

    async def _trouble(self, child: _Child, pods: Sequence[_Pod]) -> PodFailure | None:
        if child.ref.kind == JOB:
            cached = [each for each in self._jobs(child.ref.name) if isinstance(each, Pod)]
            found = [pod_failures.of_pod(each.metadata.name, each.status, self._now) for each in cached]
            return pod_failures.worst(filter(None, found)) if cached else await self._refusal(child)
        mine = [pod for pod in pods if _selects(child, pod)]
        if child.ref.kind == STATEFUL_SET and (replaced := await self._replaced(child, mine)):
            return replaced
        newest = sorted(mine, key=lambda pod: pod.metadata.creation_timestamp, reverse=True)
        found = [pod_failures.of_pod(pod.metadata.name, pod.status, self._now) for pod in newest]
        assert isinstance(child.live, Workload)
        if not any(found) and len(mine) < child.live.spec.replicas:
            return await self._refusal(child)
        return pod_failures.worst(filter(None, found))

    async def _replaced(self, child: _Child, pods: Sequence[_Pod]) -> PodFailure | None:
        """Deletes a pod of an earlier template that never became ready: its StatefulSet would wait for it for ever."""
        stuck = [pod for pod in pods if _made_by(child, pod) and pod_failures.never_ready(pod.status)]
        if not stuck or (body := await self._cluster.read(*child.ref)) is None:
            return None
        status, meta = body.get("status", {}), body["metadata"]
        current = status.get("updateRevision")
        if meta["uid"] != child.live.metadata.uid or status.get("observedGeneration") != meta["generation"]:
            return None
        for pod in stuck:
            if not current or pod.metadata.labels.get(REVISION, current) == current:
                continue
            name, namespace = pod.metadata.name, child.ref.namespace
            log.info("deleting a pod of an earlier template that never became ready", pod=name, namespace=namespace)
            try:
                version = pod.metadata.resource_version
                await self._cluster.delete(POD, namespace, name, pod.metadata.uid, version=version)
            except Conflict:
                # The pod has changed since it was listed, and may be ready now.
                continue
            message = f"pod {name} of an earlier template never became ready and is replaced"
            return PodFailure(Reason.PODS_NOT_READY, message)
        return None

    async def _refusal(self, child: _Child) -> PodFailure | None:
        """Why a missing pod could not be created."""
        ref = child.ref
        if ref.kind == DEPLOYMENT:
            body = await self._cluster.read(*ref)
            for condition in (body or {}).get("status", {}).get("conditions", []):
                if condition["type"] == "ReplicaFailure" and condition["status"] == "True":
                    return pod_failures.of_rejected_pod(condition.get("message", ""))
            return None
        fields = f"regarding.kind={ref.kind.kind},regarding.name={ref.name},reason=FailedCreate"
        events = await self._cluster.list(EVENT, ref.namespace, fields=fields)
        mine = [each for each in events if each["regarding"].get("uid") == child.live.metadata.uid]
        newest = max(mine, key=lambda each: _time(each), default=None)
        return pod_failures.of_rejected_pod(newest.get("note", "")) if newest else None

    async def _pods(self, workloads: Sequence[_Child]) -> list[_Pod]:
        if not workloads:
            return []
        selectors = [each.manifest["spec"]["selector"]["matchLabels"] for each in workloads]
        listed = await self._cluster.list(POD, workloads[0].ref.namespace, _any_of(selectors))
        pods = [msgspec.convert(body, _Pod) for body in listed]
        return [pod for pod in pods if pod.metadata.deletion_timestamp is None]

    def _of_pod_that_restarts(self, pod: _Pod) -> PodFailure | None:
        return pod_failures.unstable(pod.metadata.name, pod.status, self._now)

    def _is_ready(self) -> bool:
        meta = self._owner.metadata
        return any(
            each.type == READY and each.status == "True" and each.observed_generation == meta.generation
            for each in self._owner.conditions
        )

    def _since(self, children: Sequence[_Child]) -> float:
        """Since when the children have been unavailable: since the condition turned false, or since they exist."""
        false = [each for each in self._owner.conditions if each.type == self._condition and each.status != "True"]
        times = [each.last_transition_time for each in false] or [self._cluster.now()]
        times += [each.live.metadata.creation_timestamp for each in children if not _is_child_ready(each.live)]
        return max(pod_failures.seconds(each, 0.0) for each in times)


def _is_child_ready(live: Live) -> bool:
    return succeeded(live) if isinstance(live, Job) else isinstance(live, Workload) and available(live)


def _version(live: Live) -> int:
    return live.metadata.resource_version


def _selects(child: _Child, pod: _Pod) -> bool:
    labels: dict[str, str] = child.manifest["spec"]["selector"]["matchLabels"]
    return labels.items() <= pod.metadata.labels.items()


def _made_by(child: _Child, pod: _Pod) -> bool:
    return any(each.controller and each.uid == child.live.metadata.uid for each in pod.metadata.owner_references)


def _any_of(selectors: Sequence[Mapping[str, str]]) -> str:
    """One label selector for the objects that any of these selectors select. They may differ in values only, and the
    result may select more."""
    values: dict[str, dict[str, None]] = {}
    for selector in selectors:
        for name, value in selector.items():
            values.setdefault(name, {})[value] = None
    return ",".join(
        f"{name}={next(iter(each))}" if len(each) == 1 else f"{name} in ({','.join(each)})"
        for name, each in values.items()
    )


def _time(event: Mapping[str, Any]) -> str:
    series = event.get("series") or {}
    times = (series.get("lastObservedTime"), event.get("deprecatedLastTimestamp"), event.get("eventTime"))
    return max(str(time or "") for time in times)
