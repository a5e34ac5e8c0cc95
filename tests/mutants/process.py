"""Bugs of the process: it works before it knows the cluster, or while another process is the leader."""

from frappe_operator.runtime.process.engine import Engine
from frappe_operator.runtime.process.leader import Fence, Leader
from tests.mutants.changes import (
    always_false,
    always_true,
    expression,
    without_entry,
)
from tests.mutants.mutant import Mutant

ENGINE = "runtime/process/test_engine.py"
LEADER = "runtime/process/test_leader.py"

MUTANTS = [
    Mutant(
        "works-before-the-cache-is-complete",
        "Workers start before the caches are complete: children that exist are thought to be missing.",
        Engine.run,
        expression("informer.synced.wait()", "asyncio.sleep(0)"),
        (f"{ENGINE}::test_owners_are_cached_before_children",),
    ),
    Mutant(
        "standby-works",
        "The process that is not the leader reconciles as well.",
        Engine.run,
        expression("leading.wait()", "asyncio.sleep(0)"),
        (f"{ENGINE}::test_a_standby_fills_its_caches_and_does_nothing",),
    ),
    Mutant(
        "writes-after-losing-the-lease",
        "A former leader that does not know it yet still writes.",
        Fence.request,
        always_false("method _may_write"),
        (f"{LEADER}::test_who_does_not_lead_does_not_write",),
    ),
    Mutant(
        "leads-although-disconnected",
        "A leader that cannot reach the API server goes on believing that it leads.",
        Leader._hold,
        always_true("may_write"),
        (f"{LEADER}::test_a_leader_that_is_cut_off_stops_before_another_can_begin",),
    ),
    Mutant(
        "lease-taken-whatever-its-version",
        "The Lease is written without its resourceVersion: of two processes that start at once, both lead.",
        Leader._write,
        without_entry("metadata"),
        (f"{LEADER}::test_of_many_candidates_for_a_dead_leader_one_leads",),
    ),
]
