"""Whether children are available, bound or completed, and the message when they are not."""

import pytest

from frappe_operator.kube.live import (
    Claim,
    ClaimSpec,
    ClaimStatus,
    Job,
    JobCondition,
    JobStatus,
    Live,
    Meta,
    Replicas,
    ReplicaSpec,
    StorageClass,
    Workload,
)
from frappe_operator.kube.readiness import (
    Report,
    available,
    claims_usable,
    jobs_succeeded,
    workloads_available,
)
from frappe_operator.kube.reasons import Reason


def a_workload(*, generation: int = 2, wanted: int = 2, **status: int) -> Workload:
    up = {"observed_generation": 2, "updated_replicas": 2, "ready_replicas": 2, "available_replicas": 2, **status}
    meta = Meta(name="pearl-gunicorn", generation=generation)
    return Workload(meta, ReplicaSpec(wanted), Replicas(**{"replicas": wanted, **up}))


def a_job(*conditions: str) -> Job:
    true_conditions = tuple(JobCondition(each, "True", "2026-01-01T00:00:00Z") for each in conditions)
    return Job(Meta(name="pearl-create"), JobStatus(true_conditions))


def a_claim(phase: str, storage_class: str = "fast") -> Claim:
    return Claim(Meta(name="pearl-files"), ClaimSpec(storage_class), ClaimStatus(phase))


CLASSES = {
    "fast": StorageClass(Meta(name="fast"), volume_binding_mode="Immediate"),
    "late": StorageClass(Meta(name="late"), volume_binding_mode="WaitForFirstConsumer"),
}


def test_what_does_not_exist_is_being_created() -> None:
    for ready in (workloads_available, jobs_succeeded({}), claims_usable({})):
        assert ready([None]).reason == Reason.PROVISIONING
        assert ready([]).ok


@pytest.mark.parametrize(
    "behind",
    [
        {"observed_generation": 1},
        {"updated_replicas": 1},
        {"ready_replicas": 1},
        {"available_replicas": 1},
        {"replicas": 3},
    ],
)
def test_a_workload_is_up_when_every_pod_of_its_newest_template_is(behind: dict[str, int]) -> None:
    assert available(a_workload())
    assert not available(a_workload(**behind))


def test_a_workload_without_pods_is_up_when_none_are_wanted() -> None:
    assert available(a_workload(wanted=0, updated_replicas=0, ready_replicas=0, available_replicas=0))


def test_a_workload_that_is_not_up_says_how_many_pods_are() -> None:
    verdict = workloads_available([a_workload(), a_workload(ready_replicas=1)])
    assert verdict.reason == Reason.PODS_NOT_READY
    assert verdict.message == "pearl-gunicorn: 1 of 2 pods are ready"
    assert not verdict.blocked


def test_a_workload_whose_earlier_pods_serve_is_rolled_out() -> None:
    assert workloads_available([a_workload(updated_replicas=1)]).reason == Reason.ROLLING_OUT
    assert workloads_available([a_workload(observed_generation=0)]).reason == Reason.ROLLING_OUT


def test_a_job_is_done_when_it_is_complete_and_not_when_it_failed() -> None:
    assert jobs_succeeded({})([a_job("SuccessCriteriaMet", "Complete")]).ok
    assert not jobs_succeeded({})([a_job("Failed")]).ok


@pytest.mark.parametrize(
    ("report", "reason", "blocked", "words"),
    [
        (None, Reason.JOB_RUNNING, False, "Job pearl-create is running"),
        (Report(True, "Succeeded", "ok"), Reason.JOB_RUNNING, False, "is running"),
        (Report(False, "NoServer", "db.net does not answer"), Reason.JOB_RETRYING, False, "db.net does not answer"),
        (Report(False, "DatabaseNotEmpty", "db has tables", True), "DatabaseNotEmpty", True, "db has tables"),
    ],
)
def test_a_job_that_is_not_done_says_what_its_last_run_said(
    report: Report | None, reason: str, blocked: bool, words: str
) -> None:
    verdict = jobs_succeeded({"pearl-create": report} if report else {})([a_job()])
    assert (verdict.ok, verdict.reason, verdict.blocked) == (False, reason, blocked)
    assert words in verdict.message


@pytest.mark.parametrize(
    ("claim", "reason", "blocked"),
    [
        (a_claim("Bound", "gone"), Reason.READY, False),
        (a_claim("Pending", "late"), Reason.READY, False),
        (a_claim("Pending", "fast"), Reason.CLAIM_PENDING, False),
        (a_claim("Pending", "gone"), Reason.STORAGE_CLASS_NOT_FOUND, True),
        (a_claim("Pending", ""), Reason.STORAGE_CLASS_NOT_FOUND, True),
        (a_claim("Lost"), Reason.CLAIM_PENDING, True),
    ],
)
def test_a_claim_is_usable_when_bound_or_when_the_first_pod_will_bind_it(
    claim: Claim, reason: str, blocked: bool
) -> None:
    verdict = claims_usable(CLASSES)([claim])
    assert (verdict.reason, verdict.blocked) == (reason, blocked)
    assert verdict.ok == (reason == Reason.READY)


def test_without_permission_to_read_classes_none_is_reported_missing() -> None:
    assert claims_usable({})([a_claim("Pending", "fast")]).ok
    assert claims_usable({})([a_claim("Pending", "")]).reason == Reason.STORAGE_CLASS_NOT_FOUND


def test_only_its_own_kind_is_judged() -> None:
    other = Live(Meta(name="pearl"))
    assert workloads_available([other]).ok
    assert jobs_succeeded({})([other]).ok
