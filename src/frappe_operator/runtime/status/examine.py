"""Why workloads and Jobs do not get on: their pods say it, and who was not allowed to make one.

Pods of workloads are not watched: they are many, and settled ones say nothing. They are listed while something is not
up, less often the longer that lasts, and once on the way to Ready, when everything looks up: a container that has just
been restarted proves nothing yet.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import msgspec
import structlog
from msgspec import Struct

from frappe_operator.kube import trouble
from frappe_operator.kube.conditions import READY
from frappe_operator.kube.kinds import DEPLOYMENT, EVENT, JOB, POD, STATEFUL_SET, Manifest, Ref, ref_of
from frappe_operator.kube.live import Custom, Job, Live, Owner, Pod, PodStatus, Workload
from frappe_operator.kube.readiness import available, pods_missing, succeeded
from frappe_operator.kube.stage import Reason, Stage, Verdict
from frappe_operator.kube.trouble import Trouble
from frappe_operator.runtime.client.errors import Conflict
from frappe_operator.runtime.cluster import Cluster

log = structlog.get_logger(__name__)

FIRST_SECONDS = 5.0
"""How long a workload is not up before its pods are looked at: most are up by then."""
SELDOM_SECONDS = 300.0
"""The longest pause between two looks at what is still not up."""
REVISION = "controller-revision-hash"
EXPLAINED = (Reason.PODS_NOT_READY, Reason.ROLLING_OUT, Reason.DATABASE_UNAVAILABLE, Reason.JOB_RUNNING)
"""Reasons of a stage that its pods may tell more about."""

PodsOfJob = Callable[[str], Sequence[Live]]
"""The cached pods of a Job by its name; those that have succeeded need not be among them."""

MOST_FINDINGS = 10_000

Subject = tuple[str, str]
"""The UID of an owner, and one of its conditions."""


@dataclass
class Finding:
    """One look at the workloads of one condition."""

    generations: tuple[object, ...]
    """Of the workloads: with another template begins another story."""
    question: tuple[object, ...]
    """What was looked at; something else is looked at anew."""
    since: float
    """When the story began, in seconds."""
    until: float
    """How long the finding stands."""
    verdict: Verdict | None = None
    """What was found; None: nothing but what counts say."""


class Findings:
    """The findings that stand. Forgotten with the process, which costs a list of pods each."""

    def __init__(self) -> None:
        self._by_subject: dict[Subject, Finding] = {}

    def get(self, subject: Subject) -> Finding | None:
        return self._by_subject.get(subject)

    def put(self, subject: Subject, finding: Finding) -> None:
        self._by_subject[subject] = finding
        if len(self._by_subject) > MOST_FINDINGS:
            del self._by_subject[next(iter(self._by_subject))]

    def forget(self, subject: Subject) -> None:
        """There is nothing to find any more."""
        self._by_subject.pop(subject, None)


class Examined(NamedTuple):
    """What came of it."""

    verdicts: dict[str, Verdict]
    again: float | None
    """Seconds until it is worth a look again."""


class _Meta(Struct, rename="camel"):
    name: str
    uid: str
    resource_version: str
    creation_timestamp: str = ""
    deletion_timestamp: str | None = None
    labels: dict[str, str] = {}
    owner_references: tuple[Owner, ...] = ()


class _Pod(Struct):
    """A pod as it was listed."""

    metadata: _Meta
    status: PodStatus


class _Child(NamedTuple):
    """A workload or Job of a stage."""

    ref: Ref
    manifest: Manifest
    live: Live


async def examine(
    cluster: Cluster, owner: Custom, stages: Sequence[Stage], verdicts: Mapping[str, Verdict], jobs: PodsOfJob
) -> Examined:
    """The verdicts, with reasons where workloads or Jobs are not up; and a verdict that is true only because a
    container has just been restarted made false. Asks nothing of an owner whose workloads are up and that is Ready."""
    found, again = dict(verdicts), []
    for stage in stages:
        verdict = verdicts[stage.condition]
        children = _children(cluster, stage)
        if not children or found[stage.condition] != verdict:
            continue
        finding = await _Look(cluster, owner, stage.condition, verdict, jobs).at(children)
        if finding is None:
            continue
        found[stage.condition] = finding.verdict or verdict
        if finding.until < float("inf"):
            again.append(max(0.0, finding.until - cluster.clock()))
    return Examined(found, min(again, default=None))


def _children(cluster: Cluster, stage: Stage) -> list[_Child]:
    result = []
    for manifest in (*stage.children, *stage.once):
        ref = ref_of(manifest)
        if ref.kind in (DEPLOYMENT, STATEFUL_SET, JOB) and (item := cluster.cached(ref)):
            result.append(_Child(ref, manifest, item.live))
    return result


class _Look:
    """One look at the children of one stage."""

    def __init__(self, cluster: Cluster, owner: Custom, condition: str, verdict: Verdict, jobs: PodsOfJob) -> None:
        self._cluster = cluster
        self._owner = owner
        self._condition = condition
        self._verdict = verdict
        self._jobs = jobs
        self._now = cluster.clock()
        self._findings = cluster.state(Findings)

    async def at(self, children: Sequence[_Child]) -> Finding | None:
        """What is to be said of them, None when nothing is to be added."""
        subject = self._owner.metadata.uid, self._condition
        question = self._question(children)
        if question is None:
            self._findings.forget(subject)
            return None
        generations = tuple((each.live.metadata.uid, each.live.metadata.generation) for each in children)
        last = self._findings.get(subject)
        since = self._since(children) if last is None else last.since if last.generations == generations else self._now
        if last is not None and (last.generations, last.question) == (generations, question) and self._now < last.until:
            return last
        finding = await self._found(children, Finding(generations, question, since, 0.0))
        self._findings.put(subject, finding)
        return finding

    def _question(self, children: Sequence[_Child]) -> tuple[object, ...] | None:
        """What is to be found out, None when there is nothing: it changes with what may change the answer."""
        if self._verdict.ok:
            workloads = [each for each in children if isinstance(each.live, Workload)]
            if not workloads or self._is_ready():
                return None
            # A container that fails changes the counts, and with them the version.
            return "up", *((each.ref.name, _version(each.live)) for each in workloads)
        down = [each for each in children if not _done(each.live)]
        if self._verdict.blocked or self._verdict.reason not in EXPLAINED or not down:
            return None
        return "down", *(self._state(each) for each in down)

    async def _found(self, children: Sequence[_Child], new: Finding) -> Finding:
        if self._verdict.ok:
            workloads = [each for each in children if isinstance(each.live, Workload)]
            shaky = [each for pod in await self._pods(workloads) if (each := self._unstable(pod))]
            new.until = self._now + min((each.again or 0.0 for each in shaky), default=float("inf"))
            new.verdict = Verdict(False, shaky[0].reason, shaky[0].message) if shaky else None
            return new
        age = self._now - new.since
        if age < FIRST_SECONDS:
            new.until = new.since + FIRST_SECONDS
            return new
        down = [each for each in children if not _done(each.live)]
        pods = await self._pods([each for each in down if each.ref.kind != JOB])
        troubles = {each.ref.name: (each, found) for each in down if (found := await self._trouble(each, pods))}
        waits = [found.again for _, found in troubles.values() if found.again is not None]
        if any(each.ref.kind != JOB or not self._jobs(each.ref.name) for each in down):
            # What becomes of a Job's pods is heard.
            waits.append(max(FIRST_SECONDS, min(age / 2, SELDOM_SECONDS)))
        new.until = self._now + min(waits, default=float("inf"))
        worst = trouble.worst(found for _, found in troubles.values())
        if worst is not None:
            child = next(child for child, found in troubles.values() if found is worst)
            new.verdict = self._told(child, worst)
        return new

    def _state(self, child: _Child) -> object:
        """What of something that is not up has it looked at at once when it changes."""
        if isinstance(child.live, Workload):
            return child.ref.name, child.live.status.replicas
        return child.ref.name, tuple((pod.metadata.name, _version(pod)) for pod in self._jobs(child.ref.name))

    def _told(self, child: _Child, found: Trouble) -> Verdict:
        name, said = child.ref.name, self._verdict.message
        if asks := trouble.requested(child.manifest["spec"]["template"], found):
            found = found._replace(message=f"{found.message} (it asks for {asks})")
        if isinstance(child.live, Workload) and name not in said:
            said = pods_missing(child.live)
        if child.ref.kind == JOB:
            said = f"Job {name} does not run"
        # That MariaDB has answered before is remembered by its reason.
        keeps = self._verdict.reason == Reason.DATABASE_UNAVAILABLE
        return Verdict(
            False, self._verdict.reason if keeps else found.reason, f"{said}: {found.message}", found.blocked
        )

    async def _trouble(self, child: _Child, pods: Sequence[_Pod]) -> Trouble | None:
        if child.ref.kind == JOB:
            cached = [each for each in self._jobs(child.ref.name) if isinstance(each, Pod)]
            found = [trouble.of_pod(each.metadata.name, each.status, self._now) for each in cached]
            return trouble.worst(filter(None, found)) if cached else await self._refusal(child)
        mine = [pod for pod in pods if _selects(child, pod)]
        if child.ref.kind == STATEFUL_SET and (replaced := await self._replaced(child, mine)):
            return replaced
        newest = sorted(mine, key=lambda pod: pod.metadata.creation_timestamp, reverse=True)
        found = [trouble.of_pod(pod.metadata.name, pod.status, self._now) for pod in newest]
        assert isinstance(child.live, Workload)
        if not any(found) and len(mine) < child.live.spec.replicas:
            return await self._refusal(child)
        return trouble.worst(filter(None, found))

    async def _replaced(self, child: _Child, pods: Sequence[_Pod]) -> Trouble | None:
        """Deletes a pod of an earlier template that never became ready: the StatefulSet would wait for it for ever."""
        stuck = [pod for pod in pods if _made_by(child, pod) and trouble.never_ready(pod.status)]
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
            log.info("pod of an earlier template never became ready: deleted", pod=name, namespace=namespace)
            try:
                version = pod.metadata.resource_version
                await self._cluster.delete(POD, namespace, name, pod.metadata.uid, version=version)
            except Conflict:
                # It has changed since it was listed, and may be ready now.
                continue
            message = f"pod {name} of an earlier template never became ready and is replaced"
            return Trouble(Reason.PODS_NOT_READY, message)
        return None

    async def _refusal(self, child: _Child) -> Trouble | None:
        """Why a pod that is missing could not be made."""
        ref = child.ref
        if ref.kind == DEPLOYMENT:
            body = await self._cluster.read(*ref)
            for condition in (body or {}).get("status", {}).get("conditions", []):
                if condition["type"] == "ReplicaFailure" and condition["status"] == "True":
                    return trouble.of_refusal(condition.get("message", ""))
            return None
        fields = f"regarding.kind={ref.kind.kind},regarding.name={ref.name},reason=FailedCreate"
        events = await self._cluster.list(EVENT, ref.namespace, fields=fields)
        mine = [each for each in events if each["regarding"].get("uid") == child.live.metadata.uid]
        newest = max(mine, key=lambda each: _time(each), default=None)
        return trouble.of_refusal(newest.get("note", "")) if newest else None

    async def _pods(self, workloads: Sequence[_Child]) -> list[_Pod]:
        if not workloads:
            return []
        selectors = [each.manifest["spec"]["selector"]["matchLabels"] for each in workloads]
        listed = await self._cluster.list(POD, workloads[0].ref.namespace, _any_of(selectors))
        pods = [msgspec.convert(body, _Pod) for body in listed]
        return [pod for pod in pods if pod.metadata.deletion_timestamp is None]

    def _unstable(self, pod: _Pod) -> Trouble | None:
        return trouble.unstable(pod.metadata.name, pod.status, self._now)

    def _is_ready(self) -> bool:
        meta = self._owner.metadata
        return any(
            each.type == READY and each.status == "True" and each.observed_generation == meta.generation
            for each in self._owner.conditions
        )

    def _since(self, children: Sequence[_Child]) -> float:
        """Since when they are not up: the condition says it, but they may be younger."""
        said = [each for each in self._owner.conditions if each.type == self._condition and each.status != "True"]
        times = [each.last_transition_time for each in said] or [self._cluster.now()]
        times += [each.live.metadata.creation_timestamp for each in children if not _done(each.live)]
        return max(trouble.seconds(each, 0.0) for each in times)


def _done(live: Live) -> bool:
    return succeeded(live) if isinstance(live, Job) else isinstance(live, Workload) and available(live)


def _version(live: Live) -> int:
    return live.metadata.resource_version


def _selects(child: _Child, pod: _Pod) -> bool:
    labels: dict[str, str] = child.manifest["spec"]["selector"]["matchLabels"]
    return labels.items() <= pod.metadata.labels.items()


def _made_by(child: _Child, pod: _Pod) -> bool:
    return any(each.controller and each.uid == child.live.metadata.uid for each in pod.metadata.owner_references)


def _any_of(selectors: Sequence[Mapping[str, str]]) -> str:
    """One label selector for what any of these select, which differ in values only. It may select more."""
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
