"""Bugs by which status is wrong, or written for ever, and by which drift is not repaired."""

from frappe_operator.kube import conditions
from frappe_operator.kube.live import JobStatus
from frappe_operator.runtime.apply.children import _Children
from frappe_operator.runtime.status.report import report
from tests.mutants.changes import (
    expression,
)
from tests.mutants.mutant import Mutant

APPLY = "runtime/apply/test_apply.py"
CONDITIONS = "unit/kube/test_conditions.py"
READINESS = "unit/kube/test_readiness.py"
REPORT = "runtime/status/test_report.py"

MUTANTS = [
    Mutant(
        "status-written-each-reconcile",
        "Status is written by each reconcile, which is an event, which is a reconcile: a hot loop.",
        report,
        expression("after == before", "False"),
        (f"{REPORT}::test_an_unchanged_status_is_not_written",),
    ),
    Mutant(
        "ready-unconditionally",
        "Ready is True once the reconcile has run to its end.",
        conditions.conditions,
        expression("not verdict.ok", "verdict.blocked"),
        (f"{CONDITIONS}::test_ready_has_the_message_of_the_first_condition_that_is_false",),
    ),
    Mutant(
        "failed-job-counts-as-complete",
        "A Job that has ended has succeeded: a site whose creation failed is reported as created.",
        JobStatus.__post_init__,
        expression('each.type == "Complete"', 'each.type in ("Complete", "Failed")'),
        (f"{READINESS}::test_a_job_is_done_when_it_is_complete_and_not_when_it_failed",),
    ),
    Mutant(
        "drift-not-repaired",
        "A child that was once correct is never compared again, whatever becomes of it.",
        _Children._is_current,
        expression(
            "child.digest == item.applied or item.verified == hash((child.digest, item.digest))",
            "item.applied != 0 or item.verified != 0",
        ),
        (f"{APPLY}::test_drift_of_an_edited_child_is_repaired",),
    ),
    Mutant(
        "dropped-field-stays",
        "A field that the operator owned and does not want any more stays: only what is wanted is compared.",
        _Children._apply_child,
        expression("stale_field(child.manifest, body)", '""'),
        (f"{APPLY}::test_a_field_we_set_before_and_do_not_want_any_more_goes_even_after_a_restart",),
    ),
]
