"""What keeps pods from running, in words to act on: from the status of a pod, or from a pod that was refused."""

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, NamedTuple

from frappe_operator.kube.live import ContainerStatus, PodStatus, Terminated
from frappe_operator.kube.log_tail import log_tail
from frappe_operator.kube.quantities import amount, canonical
from frappe_operator.kube.reasons import Reason

UNSCHEDULABLE_SECONDS = 120.0
"""How long a pod waits for a node before waiting is taken to be in vain: an autoscaler brings one sooner."""
STABLE_SECONDS = 60.0
"""How long a container that has been restarted runs, at the least, before it counts as stable."""
LOOP_SECONDS = 600.0
"""A container that ran for longer did not fail of its start: the kubelet forgets its backoff then, too."""
REFUSED_SECONDS = 60.0
"""How long the words of whoever may not make a pod stand: nothing tells when there is room in a quota."""
OOM_EXIT_CODE = 137

STARTING = frozenset({"PodInitializing", "ContainerCreating"})
PULLING = frozenset({"ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull", "RegistryUnavailable"})
MISNAMED = frozenset({"InvalidImageName", "ErrImageNeverPull"})
REFUSED_PULL = re.compile(r"not ?found|manifest unknown|does not exist|unauthorized|denied|authorization failed", re.I)
_NAMED_POD = re.compile(r'^.*?pods "[^"]*" is forbidden: ')
MISCONFIGURED = frozenset({"CreateContainerConfigError", "CreateContainerError"})


class PodFailure(NamedTuple):
    """Why something does not run."""

    reason: Reason
    message: str
    blocked: bool = False
    """Waiting does not help."""
    again: float | None = None
    """Seconds after which the same pod, unchanged, means something else."""


def of_pod(name: str, status: PodStatus, now: float) -> PodFailure | None:
    """What is wrong with a pod; None when it runs, or simply starts. `now`: seconds since 1970."""
    for condition in status.conditions:
        if condition.type == "PodScheduled" and condition.status == "False" and condition.message:
            # What preemption would bring is the scheduler's business.
            why = log_tail(condition.message.split(" preemption:")[0])
            left = UNSCHEDULABLE_SECONDS - (now - seconds(condition.last_transition_time, now))
            message = f"pod {name} cannot be scheduled: {why}"
            return PodFailure(Reason.UNSCHEDULABLE, message, left <= 0, left if left > 0 else None)
    for container in (*status.container_statuses, *status.init_container_statuses):
        if found := _of_container(name, container):
            return found
    return None


def _of_container(pod: str, container: ContainerStatus) -> PodFailure | None:
    waiting, where = container.state.waiting, f"container {container.name} of pod {pod}"
    if waiting is not None and waiting.reason not in STARTING:
        why = f"{waiting.reason}: {log_tail(waiting.message)}".rstrip(": ")
        if waiting.reason in PULLING | MISNAMED:
            in_vain = waiting.reason in MISNAMED or REFUSED_PULL.search(waiting.message) is not None
            return PodFailure(Reason.IMAGE_PULL_FAILED, f"{where} cannot pull its image: {why}", in_vain)
        if waiting.reason in MISCONFIGURED:
            return PodFailure(Reason.CONTAINER_CONFIG_ERROR, f"{where} cannot be created: {why}", True)
        ended = container.last_state.terminated
        return _ended(where, ended) if ended else PodFailure(Reason.CRASH_LOOP, f"{where} cannot start: {why}")
    now_ended, before = container.state.terminated, container.last_state.terminated
    if now_ended is not None:
        return _ended(where, now_ended) if now_ended.exit_code else None
    if container.restart_count and before is not None and not container.ready and waiting is None:
        return _ended(where, before)
    return None


def unstable(name: str, status: PodStatus, now: float) -> PodFailure | None:
    """A container that was restarted and has not run for long enough since: a minute, and from the second restart on
    twice as long as it took to fail."""
    for container in status.container_statuses:
        running, ended = container.state.running, container.last_state.terminated
        if not container.restart_count or running is None or ended is None:
            continue
        lived = seconds(ended.finished_at, now) - seconds(ended.started_at, now)
        # One restart is no loop: a container that was frozen for once has lived for long, and is well.
        loops = container.restart_count > 1 and lived < LOOP_SECONDS
        stable = seconds(running.started_at, now) + max(STABLE_SECONDS, 2 * lived if loops else 0.0)
        if stable > now:
            found = _ended(f"container {container.name} of pod {name}", ended)
            until = datetime.fromtimestamp(stable, UTC).strftime("%H:%M:%S")
            message = f"{found.message}; it is considered stable from {until} UTC"
            return found._replace(message=message, again=stable - now)
    return None


def never_ready(status: PodStatus) -> bool:
    """Whether a pod has certainly never been ready since it was made."""
    ready = next((each for each in status.conditions if each.type == "Ready"), None)
    if ready is None or status.start_time is None:
        return ready is None or ready.status == "False"
    lasted = seconds(ready.last_transition_time, 0.0) - seconds(status.start_time, 0.0)
    # The kubelet writes the first condition as it takes the pod up.
    return ready.status == "False" and lasted <= 5


def ended(terminated: Terminated) -> str:
    """How a container ended, in words."""
    if terminated.reason == "OOMKilled":
        return f"was killed: memory limit reached (exit code {terminated.exit_code})"
    if terminated.exit_code == OOM_EXIT_CODE:
        return "was killed (exit code 137)"
    return f"exited with code {terminated.exit_code}"


def _ended(where: str, terminated: Terminated) -> PodFailure:
    words = log_tail(terminated.message)
    reason = Reason.OOM_KILLED if terminated.reason == "OOMKilled" else Reason.CRASH_LOOP
    return PodFailure(reason, f"{where} {ended(terminated)}{': ' if words else ''}{words}")


def of_rejected_pod(message: str) -> PodFailure:
    """Why a pod could not even be created, from the words of whoever was refused."""
    # The name of the pod that was to be is another one each time.
    why = f"its pod is rejected: {log_tail(_NAMED_POD.sub('', message))}"
    if "quota" in message:
        return PodFailure(Reason.QUOTA_EXCEEDED, why, True, REFUSED_SECONDS)
    if "forbidden" in message:
        return PodFailure(Reason.FORBIDDEN, why, True, REFUSED_SECONDS)
    return PodFailure(Reason.PODS_NOT_READY, why, False, REFUSED_SECONDS)


def requested(template: Mapping[str, Any], trouble: PodFailure) -> str:
    """What a pod of this template asks for of what no node has: `cpu 8`; empty when it is about something else."""
    asks = []
    for resource in dict.fromkeys(re.findall(r"Insufficient ([\w./-]*\w)", trouble.message)):
        total = sum((amount(str(each)) for each in _requests(template, resource)), Decimal(0))
        if total:
            asks.append(f"{resource} {_shown(resource, total)}")
    return ", ".join(asks)


def _requests(template: Mapping[str, Any], resource: str) -> list[Any]:
    requests = [each.get("resources", {}).get("requests", {}) for each in template["spec"]["containers"]]
    return [each[resource] for each in requests if resource in each]


def _shown(resource: str, total: Decimal) -> str:
    return f"{total.normalize():f}" if resource == "cpu" else canonical(f"{int(total / 2**20)}Mi")


def worst(troubles: Iterable[PodFailure]) -> PodFailure | None:
    """The one to tell: the first that waiting does not mend, or the first."""
    found = list(troubles)
    return next((each for each in found if each.blocked), found[0] if found else None)


def seconds(timestamp: str | None, unknown: float) -> float:
    """A time as Kubernetes writes it, in seconds since 1970."""
    if not timestamp:
        return unknown
    return datetime.fromisoformat(timestamp).replace(tzinfo=UTC).timestamp()
