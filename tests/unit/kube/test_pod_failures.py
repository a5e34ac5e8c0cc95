"""Why a pod does not run, derived from its status."""

from datetime import UTC, datetime

import pytest

from frappe_operator.kube import pod_failures
from frappe_operator.kube.live import (
    Condition,
    ContainerState,
    ContainerStatus,
    PodStatus,
    Running,
    Terminated,
    Waiting,
)
from frappe_operator.kube.log_tail import MAX_LENGTH, log_tail
from frappe_operator.kube.reasons import Reason

NOW = pod_failures.seconds("2026-01-01T12:00:00Z", 0.0)


def at(seconds: float) -> str:
    """The time `seconds` before now."""
    return datetime.fromtimestamp(NOW - seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def a_pod(state: ContainerState | None = None, last: Terminated | None = None, **fields: object) -> PodStatus:
    container = ContainerStatus("web", state=state or ContainerState(), last_state=ContainerState(last))
    for name, value in fields.items():
        setattr(container, name, value)
    return PodStatus(phase="Running", container_statuses=(container,))


def waits(reason: str, message: str = "") -> ContainerState:
    return ContainerState(waiting=Waiting(reason, message))


def runs(seconds: float) -> ContainerState:
    return ContainerState(running=Running(at(seconds)))


def unplaced(seconds: float, message: str = "0/2 nodes are available: 2 Insufficient memory.") -> PodStatus:
    condition = Condition("PodScheduled", "False", "Unschedulable", message, at(seconds))
    return PodStatus(phase="Pending", conditions=(condition,))


CASES: dict[str, tuple[PodStatus, Reason | None, bool, str]] = {
    "starts": (a_pod(waits("ContainerCreating")), None, False, ""),
    "runs": (a_pod(runs(5), ready=True), None, False, ""),
    "runs, not ready yet": (a_pod(runs(5)), None, False, ""),
    "done": (a_pod(ContainerState(Terminated(0, "Completed"))), None, False, ""),
    "no node yet": (unplaced(60), Reason.UNSCHEDULABLE, False, "2 Insufficient memory"),
    "no node at all": (unplaced(121), Reason.UNSCHEDULABLE, True, "cannot be scheduled"),
    "image missing": (a_pod(waits("ErrImagePull", "x:9: not found")), Reason.IMAGE_PULL_FAILED, True, "x:9: not found"),
    "registry slow": (a_pod(waits("ErrImagePull", "i/o timeout")), Reason.IMAGE_PULL_FAILED, False, "i/o timeout"),
    "backing off": (a_pod(waits("ImagePullBackOff", "Back-off")), Reason.IMAGE_PULL_FAILED, False, "ImagePullBackOff"),
    "no image name": (a_pod(waits("InvalidImageName")), Reason.IMAGE_PULL_FAILED, True, "InvalidImageName"),
    "no key": (
        a_pod(waits("CreateContainerConfigError", "couldn't find key password in Secret a/b")),
        Reason.CONTAINER_CONFIG_ERROR,
        True,
        "cannot be created",
    ),
    "crashes": (
        a_pod(waits("CrashLoopBackOff", "back-off 40s"), Terminated(3, "Error", "a\nOSError: 30"), restart_count=4),
        Reason.CRASH_LOOP,
        False,
        "exited with code 3: a / OSError: 30",
    ),
    "runs again": (
        a_pod(runs(2), Terminated(1, "Error", "oops"), restart_count=1),
        Reason.CRASH_LOOP,
        False,
        "exited with code 1: oops",
    ),
    "killed": (
        a_pod(waits("CrashLoopBackOff"), Terminated(137, "OOMKilled"), restart_count=1),
        Reason.OOM_KILLED,
        False,
        "memory limit reached",
    ),
    "no program": (a_pod(waits("RunContainerError", "exec: not found")), Reason.CRASH_LOOP, False, "RunContainerError"),
}


@pytest.mark.parametrize("case", CASES)
def test_each_kind_of_trouble_has_its_reason_and_words(case: str) -> None:
    status, reason, blocked, words = CASES[case]
    found = pod_failures.of_pod("acme-web-1", status, NOW)
    assert (found and found.reason) == reason
    if found:
        assert found.blocked == blocked
        assert words in found.message
        assert "acme-web-1" in found.message


def test_a_pod_without_a_node_is_checked_again_when_its_wait_counts_as_a_failure() -> None:
    found = pod_failures.of_pod("p", unplaced(60), NOW)
    assert found is not None
    assert found.recheck_after == 60


@pytest.mark.parametrize(
    ("restarts", "lived", "running", "left"),
    [
        (1, 9, 30, 30),
        (1, 9, 61, None),
        # Frozen once, ten minutes after its start.
        (1, 587, 30, 30),
        (1, 587, 61, None),
        (2, 9, 61, None),
        (2, 100, 150, 50),
        (2, 100, 201, None),
        (2, 86400, 30, 30),
        (2, 86400, 61, None),
    ],
)
def test_a_restarted_container_is_stable_after_a_minute_and_if_it_loops_after_twice_the_time_it_took_to_fail(
    restarts: int, lived: int, running: int, left: float | None
) -> None:
    ended = Terminated(1, "Error", "oops", at(running + lived), at(running))
    found = pod_failures.unstable("p", a_pod(runs(running), ended, restart_count=restarts, ready=True), NOW)
    assert (found and found.recheck_after) == left
    assert found is None or "it is considered stable from " in found.message
    assert pod_failures.unstable("p", a_pod(runs(running), ready=True), NOW) is None


@pytest.mark.parametrize(
    ("status", "never"),
    [
        (unplaced(500), True),
        (PodStatus(start_time=at(500), conditions=(Condition("Ready", "False", "", "", at(499)),)), True),
        (PodStatus(start_time=at(500), conditions=(Condition("Ready", "False", "", "", at(90)),)), False),
        (PodStatus(start_time=at(500), conditions=(Condition("Ready", "True", "", "", at(499)),)), False),
        (PodStatus(start_time=at(500), conditions=(Condition("Ready", "Unknown", "", "", at(499)),)), False),
    ],
)
def test_only_what_was_certainly_never_ready_counts_as_such(status: PodStatus, never: bool) -> None:
    assert pod_failures.never_ready(status) == never


@pytest.mark.parametrize(
    ("message", "reason", "blocked"),
    [
        ('pods "a-x7" is forbidden: exceeded quota: q, requested: limits.cpu=1', Reason.QUOTA_EXCEEDED, True),
        ('pods "a-x7" is forbidden: violates PodSecurity "restricted:latest"', Reason.FORBIDDEN, True),
        ("Internal error occurred: failed calling webhook", Reason.PODS_NOT_READY, False),
    ],
)
def test_a_refused_pod_has_a_reason_and_no_name(message: str, reason: Reason, blocked: bool) -> None:
    found = pod_failures.of_rejected_pod(message)
    assert (found.reason, found.blocked) == (reason, blocked)
    assert "a-x7" not in found.message


def test_what_a_pod_asks_for_is_added_up() -> None:
    asks = [{"requests": {"cpu": "500m", "memory": "512Mi"}}, {"requests": {"cpu": "2", "memory": "1Gi"}}, {}]
    template = {"spec": {"containers": [{"name": "x", "resources": each} for each in asks]}}
    found = pod_failures.PodFailure(Reason.UNSCHEDULABLE, "0/2 nodes: 1 Insufficient cpu, 1 Insufficient memory.")
    assert pod_failures.requested(template, found) == "cpu 2.5, memory 1536Mi"
    assert pod_failures.requested(template, found._replace(message="1 node(s) had untolerated taint")) == ""


SECRETS = {
    "redis://:canary@cache:6379/0": "redis://***@cache:6379/0",
    "redis://default:can/ary@x@cache:6379": "***@cache:6379",
    "mysql://u:canary@db/x failed": "failed",
    "password=canary": "password",
    "DB_PASSWORD: canary": "DB_PASSWORD",
    "{'db_password': 'canary', 'x': 1}": "db_password",
    '{"encryption_key": "canary"}': "encryption_key",
    '{\\"secret\\":\\"canary\\"}': "secret",
    "api-token = canary and more canary": "api-token",
    "Authorization: Bearer canary": "Authorization",
    "the password 'canary' is wrong": "the password",
    "IDENTIFIED BY 'canary'": "IDENTIFIED BY",
    "bench new-site --admin-password canary": "--admin-password",
    "mysql -u root -pcanary -h db": "mysql -u root",
    "-----BEGIN PRIVATE KEY-----\ncanary\n-----END PRIVATE KEY-----\nbad key file": "bad key file",
    "-----BEGIN PRIVATE KEY-----\ncanary": "",
    "pass\x1b[31mword=canary": "password",
    "pass\u200bword=canary": "pass",
}


@pytest.mark.parametrize("text", SECRETS)
def test_no_secret_gets_into_a_sentence(text: str) -> None:
    message = log_tail(text)
    assert "canary" not in message
    assert SECRETS[text] in message


def test_what_is_no_secret_stays() -> None:
    for text in ("KeyError: 'db_name'", 'secret "acme-redis-key" not found', "Access denied for user 'a'@'%'"):
        assert log_tail(text) == text


def test_progress_bars_and_colours_are_no_words() -> None:
    bar = "\rUpdating DocTypes for frappe        : [====                    ] 12%\rUpdating DocTypes: [=========] 100%"
    assert log_tail(f"\x1b[1;31mError: no room\x1b[0m\n{bar}\n\n======\n 40%|####    | 4/10\n") == "Error: no room"
    assert log_tail(bar) == ""


def test_last_words_are_few_and_the_last() -> None:
    message = log_tail("\n".join(f"line {number} {'x' * 200}" for number in range(50)) + "\nwhy")
    assert len(message) == MAX_LENGTH
    assert message.endswith("why")
