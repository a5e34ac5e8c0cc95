"""Bugs of the work queue and the reconciles: lost, doubled, starved, hot loops."""

from frappe_operator.runtime.queue import reconcile
from frappe_operator.runtime.queue.queue import Queue
from tests.mutants.changes import (
    always_false,
    argument,
    does_not_catch,
    expression,
    without_call,
)
from tests.mutants.mutant import Mutant

QUEUE = "runtime/queue/test_queue.py"
RECONCILE = "runtime/queue/test_reconcile.py"

MUTANTS = [
    Mutant(
        "key-reconciled-twice-at-once",
        "A key that is being reconciled is given to a second worker: both write the same children.",
        Queue._enter,
        always_false("key _running"),
        (f"{QUEUE}::test_a_key_that_is_being_reconciled_is_given_to_no_other_worker",),
    ),
    Mutant(
        "event-during-a-reconcile-lost",
        "What changes while a key is reconciled is never reconciled.",
        Queue._enter,
        expression("priority if again is None else min(again, priority)", "again"),
        (f"{QUEUE}::test_a_key_added_while_it_is_being_reconciled_is_queued_once_more",),
    ),
    Mutant(
        "resyncs-starve",
        "Among endless edits a key that failed is never retried.",
        Queue._next,
        always_false("_taken UNFAIR_EVERY"),
        (f"{QUEUE}::test_resyncs_do_not_starve_among_endless_edits",),
    ),
    Mutant(
        "namespaces-in-line",
        "Namespaces do not take turns: 5,000 sites of one tenant are reconciled before the one of another.",
        Queue._next_of,
        without_call("move_to_end"),
        (f"{QUEUE}::test_namespaces_are_served_in_turn",),
    ),
    Mutant(
        "failing-key-without-backoff",
        "A failing key is reconciled at every event, those of its own children included: a hot loop.",
        Queue.add,
        always_false("key _failures"),
        (f"{QUEUE}::test_a_failing_key_is_not_reconciled_at_every_event_but_soon",),
    ),
    Mutant(
        "endless-reconcile-keeps-its-key",
        "A reconcile that never ends keeps its key and its worker for ever.",
        reconcile.reconcile_key,
        argument("timeout", 0, "None"),
        (f"{RECONCILE}::test_a_reconcile_that_never_ends_is_given_up",),
    ),
    Mutant(
        "exception-ends-the-operator",
        "An unexpected exception ends the worker, and with it the process: one bad site stops all.",
        reconcile.reconcile_key,
        does_not_catch("Exception"),
        (f"{RECONCILE}::test_an_unexpected_exception_is_reported_without_its_message",),
    ),
]
