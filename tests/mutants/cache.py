"""Bugs by which the cache differs from the cluster: missed or repeated events, objects that come back, dead watches."""

from frappe_operator.runtime import owned_fields
from frappe_operator.runtime.cache import informer
from frappe_operator.runtime.cache.informer import Informer
from frappe_operator.runtime.cache.store import Store
from frappe_operator.runtime.queue import handlers
from tests.mutants.changes import (
    always_false,
    always_true,
    argument,
    expression,
    without_assignment,
    without_call,
)
from tests.mutants.mutant import Mutant

APPLIED = "runtime/test_fingerprint.py"
HTTP = "runtime/client/test_http.py"
INFORMER = "runtime/cache/test_informer.py"
STORE = "runtime/cache/test_store.py"

MUTANTS = [
    Mutant(
        "compacted-version-watched-again",
        "After 410 Gone the watch is opened again at the same version: no event ever comes.",
        Informer.run,
        without_assignment("_version"),
        (f"{INFORMER}::test_an_expired_version_means_a_new_list_that_reports_differences_only",),
    ),
    Mutant(
        "deletions-in-a-gap-missed",
        "What a new list does not have stays in the cache: deletions during a gap are never noticed.",
        Informer._complete,
        without_call("_publish"),
        (f"{INFORMER}::test_deletions_during_a_blackout_are_noticed",),
    ),
    Mutant(
        "dead-connection-read-for-ever",
        "A half-open connection is read for ever: the operator sees nothing for hours, and logs nothing.",
        informer._lines,
        argument("timeout_at", 0, "None"),
        (f"{INFORMER}::test_a_silent_watch_is_left_within_seconds_and_what_was_missed_is_caught_up_with",),
    ),
    Mutant(
        "any-bookmark-ends-the-list",
        "Any bookmark is taken for the end of the first list: the operator begins with half of the objects.",
        Informer._bookmark,
        always_true("INITIAL_EVENTS_END"),
        (f"{INFORMER}::test_a_bookmark_within_the_first_list_does_not_end_it",),
    ),
    Mutant(
        "version-advanced-within-a-list",
        "The first list moves the resourceVersion, though its objects come in any order: a later cut loses some.",
        Informer._advance,
        expression("self._listed is None and self._version", "True"),
        (f"{INFORMER}::test_a_first_stream_that_is_cut_is_begun_again",),
    ),
    Mutant(
        "older-version-accepted",
        "The cache takes whatever comes last: a late event, or the response to an old write, undoes a newer one.",
        Store.put,
        expression("item.version <= cached.version", "item.version == cached.version"),
        (f"{STORE}::test_something_older_is_not_taken",),
    ),
    Mutant(
        "deleted-object-resurrected",
        "A late event brings a deleted object back, for good: nothing will say that it goes.",
        Store.put,
        always_false("_tombstones version"),
        (f"{STORE}::test_a_deleted_object_does_not_come_back_by_an_old_answer",),
    ),
    Mutant(
        "older-list-removes-a-newer-object",
        "A list that was read before our write removes what we have just created: it is created twice.",
        Store.delete_unlisted,
        always_true("item version"),
        (f"{STORE}::test_unlisted_objects_are_removed_unless_they_are_newer_than_the_list",),
    ),
    Mutant(
        "values-of-owned-fields-not-compared",
        "Which fields the operator owns is compared, not their values: edits of them stay.",
        owned_fields._some,
        expression("{name: live[name] for name in names}", "{name: 0 for name in names}"),
        (f"{APPLIED}::test_another_value_of_an_owned_field_changes_the_fingerprint",),
    ),
    Mutant(
        "deletions-trigger-nothing",
        "Only what a change leads to is mapped to owners: a deleted child triggers no reconcile.",
        handlers._keys,
        expression("(change.old, change.new)", "(change.new,)"),
        ("world/test_minimal_controller.py::test_a_deleted_child_comes_back",),
    ),
]
