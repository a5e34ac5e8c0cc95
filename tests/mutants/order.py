"""Bugs by which something happens before what it depends on, a second time, or never."""

from frappe_operator.bench import cleanup as bench_cleanup
from frappe_operator.runtime.apply import children
from frappe_operator.runtime.apply.children import _Children
from frappe_operator.site import cleanup, controller, observe
from tests.mutants.changes import (
    always_false,
    always_true,
    before_all_else,
    does_not_catch,
    expression,
    returns,
    without_argument,
    without_call,
)
from tests.mutants.mutant import Mutant

APPLY = "runtime/apply/test_apply.py"
CREATE_ONCE = "runtime/apply/test_create_once.py"
OWNERSHIP = "runtime/apply/test_ownership.py"
FIRST_APPS = "world/test_first_apps.py"

MUTANTS = [
    Mutant(
        "apps-of-the-creation-taken-for-those-of-now",
        "An app that was removed since the site was created, and is wanted again, is not installed.",
        observe._created_with_apps,
        always_false("release"),
        (f"{FIRST_APPS}::test_an_app_that_was_removed_and_is_wanted_again_is_installed",),
    ),
    Mutant(
        "stages-do-not-wait",
        "Everything is created at once: the site before there is a database.",
        children._waits_for,
        returns('""'),
        (f"{APPLY}::test_later_stages_wait_for_earlier_ones",),
    ),
    Mutant(
        "waiting-stage-freezes-what-exists",
        "A stage that waits is not kept correct: a Deployment that is not ready freezes the Ingress after it.",
        _Children.ensure,
        expression("item is None and waits_for and (child.create_once or not begun)", "bool(waits_for)"),
        (f"{APPLY}::test_existing_children_are_kept_correct_while_earlier_stages_are_not_true",),
    ),
    Mutant(
        "deleted-child-not-recreated-while-waiting",
        "A deleted Deployment of a running site is not recreated while MariaDB is down or the spec has a mistake.",
        _Children.ensure,
        always_true("child create_once begun"),
        (
            f"{APPLY}::test_a_stage_that_has_begun_is_kept_correct_while_earlier_stages_are_not_true",
            "world/test_drift_repair.py",
        ),
    ),
    Mutant(
        "one-failure-ends-the-reconcile",
        "The first child that cannot be written ends the reconcile: those after it are never created.",
        _Children._attempt,
        does_not_catch("ApiError"),
        ("runtime/apply/test_refusals.py::test_a_retriable_failure_is_raised_after_all_children_were_attempted",),
    ),
    Mutant(
        "generated-secret-replaced",
        "Generated Secrets are kept equal to what is generated: each reconcile sets a new password.",
        _Children.ensure,
        expression(
            "self._child(each, create_once=True, settled=not waits_for)",
            "self._child(each, create_once=False, settled=not waits_for)",
        ),
        (f"{CREATE_ONCE}::test_a_generated_secret_is_created_once_and_never_again",),
    ),
    Mutant(
        "creation-not-idempotent",
        "A creation whose response was lost is retried for ever: that the object exists counts as a failure.",
        _Children._create_child,
        does_not_catch("AlreadyExists"),
        (f"{CREATE_ONCE}::test_a_secret_whose_creation_was_not_answered_is_not_created_again",),
    ),
    Mutant(
        "finished-job-runs-again",
        "A Job that has succeeded runs again when its inputs change: the site is created a second time.",
        children._outdated,
        expression("not live.completed", "True"),
        (f"{CREATE_ONCE}::test_a_job_that_has_succeeded_is_never_touched_even_before_we_know",),
    ),
    Mutant(
        "job-deleted-while-it-succeeds",
        "A Job is restarted by a stale cache: it has succeeded before the delete arrives.",
        _Children._restart_job,
        without_argument("delete", "version"),
        (f"{CREATE_ONCE}::test_a_job_that_succeeds_while_it_is_to_start_again_stays",),
    ),
    Mutant(
        "child-of-a-deleted-owner",
        "A new process with a stale cache creates children of an owner that the process before has taken apart.",
        _Children._confirm_owner,
        returns("None"),
        (
            f"{OWNERSHIP}::test_a_new_process_creates_nothing_for_a_deleted_owner",
            "faults/test_regressions.py",
        ),
    ),
    Mutant(
        "finalizer-never-added",
        "There is no finalizer: a site that is to be deleted with its data is gone before anything is cleaned up.",
        controller.controller,
        without_call("ensure_finalizer"),
        ("world/test_site_deletion.py::test_a_site_that_is_to_be_deleted_leaves_nothing",),
    ),
    Mutant(
        "finalizer-removed-before-the-cleanup",
        "The finalizer is removed first: a process that dies afterwards leaves the data behind.",
        cleanup.cleanup,
        before_all_else("remove_finalizer"),
        ("world/test_site_deletion.py::test_a_site_stays_until_its_data_is_gone",),
    ),
    Mutant(
        "database-dropped-under-a-worker",
        "The database is dropped while the site's workers still write: pods are not waited for.",
        cleanup.cleanup,
        always_false("pods _pods"),
        ("world/test_site_deletion.py::test_a_database_is_dropped_when_the_last_pod_has_ended_and_not_before",),
    ),
    Mutant(
        "bench-deleted-with-its-sites",
        "A deleted bench does not wait for its sites: the files of every tenant go with it.",
        bench_cleanup.cleanup,
        always_false("sites _sites"),
        ("world/test_bench_deletion.py::test_a_bench_with_sites_stays_until_they_are_gone",),
    ),
]
