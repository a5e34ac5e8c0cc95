"""Reasons why pods do not run, with messages to act on: from the status of a pod, or the rejection of a new pod."""

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
"""Seconds after which an unschedulable pod counts as blocked: an autoscaler adds a node sooner."""
STABLE_SECONDS = 60.0
"""Least number of seconds that a restarted container runs before it counts as stable."""
LOOP_SECONDS = 600.0
"""Seconds after which the end of a container is not a failure to start; the kubelet resets its backoff then as well."""
REJECTED_SECONDS = 60.0
"""Seconds after which a rejected pod is checked again: no event reports that a quota has room again."""
OOM_EXIT_CODE = 137

STARTING = frozenset({"PodInitializing", "ContainerCreating"})
PULLING = frozenset({"ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull", "RegistryUnavailable"})
MISNAMED = frozenset({"InvalidImageName", "ErrImageNeverPull"})
PERMANENT_PULL_ERROR = re.compile(
    r"not ?found|manifest unknown|does not exist|unauthorized|denied|authorization failed", re.I
)
_NAMED_POD = re.compile(r'^.*?pods "[^"]*" is forbidden: ')
MISCONFIGURED = frozenset({"CreateContainerConfigError", "CreateContainerError"})


class PodFailure(NamedTuple):
    """Why a pod does not run."""

    reason: Reason
    message: str
    blocked: bool = False
    """Whether the user must change something: waiting does not help."""
    recheck_after: float | None = None
    """Seconds after which the pod must be evaluated again even if it has not changed; None for never."""


def of_pod(name: str, status: PodStatus, now: float) -> PodFailure | None:
    """The failure of a pod; None when it runs or starts normally. `now`: seconds since 1970."""
    for condition in status.conditions:
        if condition.type == "PodScheduled" and condition.status == "False" and condition.message:
            # The part about preemption does not help the user.
            why = log_tail(condition.message.split(" preemption:")[0])
            remaining = UNSCHEDULABLE_SECONDS - (now - seconds(condition.last_transition_time, now))
            message = f"pod {name} cannot be scheduled: {why}"
            return PodFailure(Reason.UNSCHEDULABLE, message, remaining <= 0, remaining if remaining > 0 else None)
    for container in (*status.container_statuses, *status.init_container_statuses):
        if found := _of_container(name, container):
            return found
    return None


def _of_container(pod: str, container: ContainerStatus) -> PodFailure | None:
    waiting, where = container.state.waiting, f"container {container.name} of pod {pod}"
    if waiting is not None and waiting.reason not in STARTING:
        why = f"{waiting.reason}: {log_tail(waiting.message)}".rstrip(": ")
        if waiting.reason in PULLING | MISNAMED:
            permanent = waiting.reason in MISNAMED or PERMANENT_PULL_ERROR.search(waiting.message) is not None
            return PodFailure(Reason.IMAGE_PULL_FAILED, f"{where} cannot pull its image: {why}", permanent)
        if waiting.reason in MISCONFIGURED:
            return PodFailure(Reason.CONTAINER_CONFIG_ERROR, f"{where} cannot be created: {why}", True)
        ended = container.last_state.terminated
        return _ended(where, ended) if ended else PodFailure(Reason.CRASH_LOOP, f"{where} cannot start: {why}")
    terminated, previous = container.state.terminated, container.last_state.terminated
    if terminated is not None:
        return _ended(where, terminated) if terminated.exit_code else None
    if container.restart_count and previous is not None and not container.ready and waiting is None:
        return _ended(where, previous)
    return None


def unstable(name: str, status: PodStatus, now: float) -> PodFailure | None:
    """The failure of a container that has not been stable since its last restart; None when all containers are stable.

    A container is stable after a minute, and from the second restart on after twice the time that it took to fail.
    `now`: seconds since 1970.
    """
    for container in status.container_statuses:
        running, ended = container.state.running, container.last_state.terminated
        if not container.restart_count or running is None or ended is None:
            continue
        lifetime = seconds(ended.finished_at, now) - seconds(ended.started_at, now)
        # One restart is not a loop: a container that was frozen once has run for long before.
        looping = container.restart_count > 1 and lifetime < LOOP_SECONDS
        stable = seconds(running.started_at, now) + max(STABLE_SECONDS, 2 * lifetime if looping else 0.0)
        if stable > now:
            found = _ended(f"container {container.name} of pod {name}", ended)
            until = datetime.fromtimestamp(stable, UTC).strftime("%H:%M:%S")
            message = f"{found.message}; it is considered stable from {until} UTC"
            return found._replace(message=message, recheck_after=stable - now)
    return None


def never_ready(status: PodStatus) -> bool:
    """Whether a pod has certainly never been ready since its creation."""
    ready = next((each for each in status.conditions if each.type == "Ready"), None)
    if ready is None or status.start_time is None:
        return ready is None or ready.status == "False"
    elapsed = seconds(ready.last_transition_time, 0.0) - seconds(status.start_time, 0.0)
    # The kubelet writes the first condition when it accepts the pod.
    return ready.status == "False" and elapsed <= 5


def ended(terminated: Terminated) -> str:
    """How a container ended, as the predicate of a sentence."""
    if terminated.reason == "OOMKilled":
        return f"was killed: memory limit reached (exit code {terminated.exit_code})"
    if terminated.exit_code == OOM_EXIT_CODE:
        return "was killed (exit code 137)"
    return f"exited with code {terminated.exit_code}"


def _ended(where: str, terminated: Terminated) -> PodFailure:
    tail = log_tail(terminated.message)
    reason = Reason.OOM_KILLED if terminated.reason == "OOMKilled" else Reason.CRASH_LOOP
    return PodFailure(reason, f"{where} {ended(terminated)}{': ' if tail else ''}{tail}")


def of_rejected_pod(message: str) -> PodFailure:
    """The failure of a pod that was rejected on creation. `message`: the error of the controller that creates it."""
    # The name of the rejected pod differs each time.
    why = f"its pod is rejected: {log_tail(_NAMED_POD.sub('', message))}"
    if "quota" in message:
        return PodFailure(Reason.QUOTA_EXCEEDED, why, True, REJECTED_SECONDS)
    if "forbidden" in message:
        return PodFailure(Reason.FORBIDDEN, why, True, REJECTED_SECONDS)
    return PodFailure(Reason.PODS_NOT_READY, why, False, REJECTED_SECONDS)


def requested(template: Mapping[str, Any], failure: PodFailure) -> str:
    """The requests of a pod for the resources that the failure names as insufficient, such as `cpu 8`; empty for other
    failures. `template`: the pod template."""
    requests = []
    for resource in dict.fromkeys(re.findall(r"Insufficient ([\w./-]*\w)", failure.message)):
        total = sum((amount(str(each)) for each in _requests(template, resource)), Decimal(0))
        if total:
            requests.append(f"{resource} {_shown(resource, total)}")
    return ", ".join(requests)


def _requests(template: Mapping[str, Any], resource: str) -> list[Any]:
    requests = [each.get("resources", {}).get("requests", {}) for each in template["spec"]["containers"]]
    return [each[resource] for each in requests if resource in each]


def _shown(resource: str, total: Decimal) -> str:
    return f"{total.normalize():f}" if resource == "cpu" else canonical(f"{int(total / 2**20)}Mi")


def worst(failures: Iterable[PodFailure]) -> PodFailure | None:
    """The failure to report: the first that is blocked, otherwise the first; None without failures."""
    found = list(failures)
    return next((each for each in found if each.blocked), found[0] if found else None)


def seconds(timestamp: str | None, default: float) -> float:
    """A timestamp of Kubernetes in seconds since 1970; `default` when it is missing."""
    if not timestamp:
        return default
    return datetime.fromisoformat(timestamp).replace(tzinfo=UTC).timestamp()
