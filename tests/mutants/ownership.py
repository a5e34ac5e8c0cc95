"""Bugs by which the operator writes to, or deletes, what belongs to somebody else."""

from frappe_operator.model.scaling import scale
from frappe_operator.runtime.apply import finalizers
from frappe_operator.runtime.apply.children import _Children
from frappe_operator.runtime.apply.replicas import hand_over
from frappe_operator.runtime.client.client import Client
from frappe_operator.runtime.status.report import report
from frappe_operator.site import cleanup
from tests.mutants.changes import (
    always_true,
    expression,
    without_call,
    without_entry,
)
from tests.mutants.mutant import Mutant

OWNERSHIP = "runtime/apply/test_ownership.py"

MUTANTS = [
    Mutant(
        "delete-without-uid",
        "A delete names its object by name only: one that was created since under that name is deleted in its place.",
        Client.delete,
        without_entry("uid"),
        (f"{OWNERSHIP}::test_a_delete_does_not_hit_a_new_object_of_the_same_name",),
    ),
    Mutant(
        "apply-without-uid",
        "An apply names its object by name only: another owner's object that took the name since is overwritten.",
        _Children._apply_child,
        expression('{"uid": live.metadata.uid}', "{}"),
        (f"{OWNERSHIP}::test_an_object_that_takes_the_name_meanwhile_is_not_overwritten",),
    ),
    Mutant(
        "foreign-object-adopted",
        "A child is created by an apply without a precondition: an object that exists under its name is taken over.",
        _Children._apply_child,
        expression("ABSENT", "{}"),
        (f"{OWNERSHIP}::test_an_object_of_another_owner_is_never_touched",),
    ),
    Mutant(
        "replicas-let-go",
        "The sole owner of the number of replicas lets it go: the API server makes it one, and pods end.",
        hand_over,
        without_call("apply"),
        ("runtime/apply/test_replicas.py::test_the_number_stays_when_an_autoscaler_takes_over",),
    ),
    Mutant(
        "replicas-applied-beside-the-autoscaler",
        "The spec takes over while the autoscaler still exists, which scales back what is applied.",
        scale,
        expression("autoscaler or live.has_autoscaler", "autoscaler"),
        ("world/test_scaling.py::test_the_spec_takes_over_when_the_autoscaler_is_gone",),
    ),
    Mutant(
        "replicas-lost-in-an-upgrade",
        "What an upgrade stops is not recorded: it starts again with another number of replicas.",
        scale,
        expression("(live.replicas or live.before) if autoscaler else 0", "0"),
        ("world/test_scaling.py::test_the_number_before_an_upgrade_comes_back",),
    ),
    Mutant(
        "owner-compared-by-name",
        "A child belongs to whatever has its owner's name: children of a deleted owner are taken for the new one's.",
        _Children._is_owned,
        expression("controller.uid == self._owner.metadata.uid", "controller.name == self._owner.metadata.name"),
        (f"{OWNERSHIP}::test_children_of_an_earlier_owner_of_the_same_name_are_not_its_own",),
    ),
    Mutant(
        "pruned-by-a-stale-cache",
        "A child that no stage names is deleted although it belongs to another owner by now, which the cache lacks.",
        _Children.prune,
        always_true("_is_owned fresh"),
        (f"{OWNERSHIP}::test_a_child_that_was_given_to_another_is_not_deleted",),
    ),
    Mutant(
        "retained-object-adopted",
        "An object without an owner is adopted whoever created it: a planted password becomes Administrator's.",
        _Children._is_ours,
        expression(
            "by_label and live.metadata.label(MANAGED_BY) == OPERATOR_NAME and live.metadata.controller is None",
            "True",
        ),
        (
            f"{OWNERSHIP}::test_a_retained_child_is_not_taken_from_another_owner",
            "world/test_children.py::test_what_was_there_before_is_neither_taken_nor_changed",
        ),
    ),
    Mutant(
        "foreign-secret-deleted-with-the-site",
        "Whatever has the name of a site's Secret or claim is deleted with the site, whoever created it.",
        cleanup._delete_retained,
        always_true("MANAGED_BY OPERATOR_NAME SITE_LABEL"),
        ("world/test_site_deletion.py::test_what_was_there_before_is_not_deleted_with_the_site_either",),
    ),
    Mutant(
        "status-of-another-object",
        "Status is patched by name only: a new object under the name gets the status of the deleted one.",
        report,
        without_entry("uid"),
        ("runtime/status/test_report.py::test_status_is_only_written_to_the_object_it_is_about",),
    ),
    Mutant(
        "finalizers-of-others-overwritten",
        "The list of finalizers is replaced without a resourceVersion: one that was added since is lost.",
        finalizers._set,
        without_entry("resourceVersion"),
        ("runtime/apply/test_finalizers.py::test_a_finalizer_that_another_controller_added_meanwhile_is_not_lost",),
    ),
]
