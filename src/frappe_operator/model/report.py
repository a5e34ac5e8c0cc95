"""What the runner reports from inside a pod, read from the pod's termination message."""

from collections.abc import Callable, Iterable

import msgspec
from msgspec import Struct

from frappe_operator.kube.live import ContainerStatus, Live, Pod, PodStatus
from frappe_operator.kube.names import JOB_LABEL, SITE_LABEL
from frappe_operator.kube.readiness import Report

JOB_INDEX, SITE_INDEX = "job", "site"
INDICES: dict[str, Callable[[Live], list[str]]] = {
    JOB_INDEX: lambda live: [f"{live.metadata.namespace}/{live.metadata.label(JOB_LABEL)}"],
    SITE_INDEX: lambda live: [f"{live.metadata.namespace}/{live.metadata.label(SITE_LABEL)}"],
}
"""Indices over the pods of our Jobs."""


class Message(Struct, rename="camel"):
    """The runner's termination message."""

    ok: bool
    reason: str = ""
    message: str = ""
    blocked: bool = False
    frappe_version: str = ""
    python: str = ""
    apps: dict[str, str] = {}


def message(pod: PodStatus) -> Message | None:
    """The last message of a Job's pod, None while it has none."""
    for status in _statuses(pod):
        terminated = status.state.terminated or status.last_state.terminated
        if terminated is None or not terminated.message:
            continue
        try:
            return msgspec.json.decode(terminated.message, type=Message)
        except msgspec.MsgspecError:
            # Not the runner's: the kubelet's own words, or a log's tail.
            return Message(False, "Failed", terminated.message[-300:])
    return None


def _statuses(pod: PodStatus) -> list[ContainerStatus]:
    return [*pod.container_statuses, *pod.init_container_statuses]


def reports(pods: Iterable[Pod]) -> dict[str, Report]:
    """By Job, what its pods said last, and where they said nothing, what keeps them from starting."""
    result = {}
    for pod in sorted(pods, key=lambda pod: pod.metadata.creation_timestamp):
        job = pod.metadata.label(JOB_LABEL)
        if said := message(pod.status):
            result[job] = Report(said.ok, said.reason, said.message, said.blocked)
        elif trouble := waiting(pod):
            result[job] = Report(False, "Waiting", trouble)
    return result


def says_something(pod: Live) -> bool:
    """Whether a pod has any part in `reports`: most begin, work and go without a word, and their Job says the rest."""
    return isinstance(pod, Pod) and bool(reports([pod]))


QUIET = {"PodInitializing", "ContainerCreating"}


def waiting(pod: Pod) -> str:
    """Why a pod does not start, in the kubelet's or scheduler's words; empty while it does."""
    for status in _statuses(pod.status):
        state = status.state.waiting
        if state is not None and state.reason not in QUIET:
            return f"pod {pod.metadata.name}: {state.reason} {state.message}".rstrip()
    for condition in pod.status.conditions:
        if condition.type == "PodScheduled" and condition.status == "False":
            return f"pod {pod.metadata.name} cannot be placed: {condition.message}"
    return ""
