"""The queue: one entry a key, one worker a key, the urgent first, everyone in turn."""

import asyncio
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from fakecluster.virtual_time import VirtualLoop
from frappe_operator.kube.objects import Key
from frappe_operator.runtime.queue.queue import (
    LONGEST_RETRY_SECONDS,
    MIN_INTERVAL_SECONDS,
    SHORTEST_RETRY_SECONDS,
    Priority,
    Queue,
)
from tests.runtime.virtual_time import virtual

A, B, C = Key("red", "a"), Key("red", "b"), Key("blue", "c")


def a_queue(workers: int = 32) -> Queue:
    return Queue(workers=workers, jitter=lambda: 0.0)


def now() -> float:
    return asyncio.get_running_loop().time()


async def nothing_comes(queue: Queue, seconds: float) -> bool:
    try:
        async with asyncio.timeout(seconds):
            key = await queue.take()
    except TimeoutError:
        return True
    raise AssertionError(f"{key} came")


@virtual
async def test_a_key_that_is_added_twice_comes_once() -> None:
    queue = a_queue()
    queue.add(A)
    queue.add(A)
    assert await queue.take() == A
    queue.done(A)
    assert await nothing_comes(queue, 1000)


@virtual
async def test_a_key_that_is_being_reconciled_is_given_to_no_other_worker() -> None:
    queue = a_queue()
    queue.add(A)
    await queue.take()
    queue.add(A)
    assert await nothing_comes(queue, 1000)


@virtual
async def test_a_key_added_while_it_is_being_reconciled_is_queued_once_more() -> None:
    queue = a_queue()
    queue.add(A)
    await queue.take()
    queue.add(A)
    queue.add(A)
    queue.done(A)
    assert await queue.take() == A
    queue.done(A)
    assert await nothing_comes(queue, 1000)


async def reconciled(queue: Queue, key: Key) -> None:
    queue.add(key, Priority.EDIT)
    assert await queue.take() == key
    queue.done(key)


@virtual
async def test_a_burst_of_events_after_a_reconcile_is_one_reconcile() -> None:
    queue = a_queue()
    await reconciled(queue, A)
    for _ in range(4):
        queue.add(A)
        await asyncio.sleep(MIN_INTERVAL_SECONDS / 5)
    assert (await queue.take(), now()) == (A, MIN_INTERVAL_SECONDS)
    queue.done(A)
    assert await nothing_comes(queue, 1000)


@virtual
async def test_an_edit_after_a_reconcile_is_reconciled_at_once() -> None:
    queue = a_queue()
    await reconciled(queue, A)
    queue.add(A)
    queue.add(A, Priority.EDIT)
    assert (await queue.take(), now()) == (A, 0)


@virtual
async def test_an_event_long_after_the_last_reconcile_is_reconciled_at_once() -> None:
    queue = a_queue()
    await reconciled(queue, A)
    await reconciled(queue, B)
    await asyncio.sleep(MIN_INTERVAL_SECONDS)
    queue.add(A)
    assert (await queue.take(), now()) == (A, MIN_INTERVAL_SECONDS)


@virtual
async def test_a_key_that_has_rested_is_as_urgent_as_before() -> None:
    queue = a_queue()
    await reconciled(queue, A)
    queue.add(B, Priority.RESYNC)
    queue.add(A, Priority.EVENT)
    await asyncio.sleep(MIN_INTERVAL_SECONDS)
    assert [await queue.take() for _ in range(2)] == [A, B]


@virtual
async def test_an_event_does_not_delay_a_key_that_is_due_earlier() -> None:
    queue = a_queue()
    await reconciled(queue, A)
    queue.add_after(A, MIN_INTERVAL_SECONDS / 2)
    queue.add(A, Priority.EVENT)
    queue.add(B, Priority.RESYNC)
    await asyncio.sleep(MIN_INTERVAL_SECONDS / 2)
    assert [await queue.take() for _ in range(2)] == [A, B]


@virtual
async def test_a_waiting_worker_gets_a_new_key() -> None:
    queue = a_queue()
    asyncio.get_running_loop().call_later(5, queue.add, A)
    assert await queue.take() == A
    assert now() == 5


@virtual
async def test_a_key_whose_worker_was_cancelled_goes_to_another_worker() -> None:
    queue = a_queue()
    first = asyncio.create_task(queue.take())
    second = asyncio.create_task(queue.take())
    await asyncio.sleep(0)
    queue.add(A)
    first.cancel()
    assert await second == A


@virtual
async def test_edits_go_before_events_and_events_before_resyncs() -> None:
    queue = a_queue()
    queue.add(A, Priority.RESYNC)
    queue.add(B, Priority.EVENT)
    queue.add(C, Priority.EDIT)
    assert [await queue.take() for _ in range(3)] == [C, B, A]


@virtual
async def test_an_edit_of_a_delayed_key_moves_it_up() -> None:
    queue = a_queue()
    for number in range(100):
        queue.add(Key("red", f"{number}"), Priority.RESYNC)
    queue.add(Key("red", "99"), Priority.EDIT)
    assert await queue.take() == Key("red", "99")
    assert len(queue) == 99


@virtual
async def test_resyncs_do_not_starve_among_endless_edits() -> None:
    queue = a_queue()
    queue.add(A, Priority.RESYNC)
    taken = []
    for number in range(20):
        queue.add(Key("blue", f"{number}"), Priority.EDIT)
        key = await queue.take()
        queue.done(key)
        taken.append(key)
    assert A in taken


@virtual
async def test_namespaces_are_served_in_turn() -> None:
    queue = a_queue()
    for number in range(5000):
        queue.add(Key("noisy", f"{number}"))
    queue.add(Key("quiet", "x"))
    first = [await queue.take() for _ in range(2)]
    assert Key("quiet", "x") in first


@virtual
async def test_one_namespace_never_has_all_workers() -> None:
    queue = a_queue(workers=8)
    for number in range(100):
        queue.add(Key("noisy", f"{number}"))
    noisy = [await queue.take() for _ in range(6)]
    assert await nothing_comes(queue, 1000)
    queue.add(C)
    assert await queue.take() == C
    queue.done(noisy[0])
    assert (await queue.take()).namespace == "noisy"


@virtual
async def test_a_delayed_key_comes_when_its_time_has_come() -> None:
    queue = a_queue()
    queue.add_after(A, 30)
    queue.add_after(B, 10)
    assert (await queue.take(), now()) == (B, 10)
    assert (await queue.take(), now()) == (A, 30)


@virtual
async def test_of_two_delays_the_shorter_one_counts() -> None:
    queue = a_queue()
    queue.add_after(A, 30)
    queue.add_after(A, 10)
    queue.add_after(A, 20)
    assert (await queue.take(), now()) == (A, 10)
    queue.done(A)
    assert await nothing_comes(queue, 1000)


@virtual
async def test_a_delayed_key_that_is_added_comes_at_once_and_not_again() -> None:
    queue = a_queue()
    queue.add_after(A, 30)
    queue.add(A)
    assert (await queue.take(), now()) == (A, 0)
    queue.done(A)
    assert await nothing_comes(queue, 1000)


async def _fail(queue: Queue, key: Key, times: int) -> list[float]:
    """The pauses between tries that all fail."""
    queue.add(key)
    pauses, before = [], 0.0
    for _ in range(times):
        assert await queue.take() == key
        pauses.append(now() - before)
        before = now()
        queue.retry(key)
        queue.done(key)
    return pauses[1:]


@virtual
async def test_a_key_that_fails_comes_back_later_each_time_but_not_too_late() -> None:
    pauses = await _fail(a_queue(), A, 14)
    assert pauses[:4] == [1, 2, 4, 8]
    assert pauses[-1] == LONGEST_RETRY_SECONDS


@virtual
async def test_success_makes_the_next_failure_a_first_one() -> None:
    queue = a_queue()
    await _fail(queue, A, 6)
    assert await queue.take() == A
    queue.forget(A)
    queue.done(A)
    assert queue.retry(A) == 1


@virtual
async def test_retry_after_is_obeyed() -> None:
    queue = a_queue()
    assert queue.retry(A, at_least=17) == 17
    assert (await queue.take(), now()) == (A, 17)


@virtual
async def test_a_failing_key_is_not_reconciled_at_every_event_but_soon() -> None:
    queue = a_queue()
    await _fail(queue, A, 10)
    failed = now()
    for _ in range(50):
        queue.add(A)
    assert await queue.take() == A
    assert now() - failed == SHORTEST_RETRY_SECONDS


@virtual
async def test_an_edit_of_a_failing_key_is_reconciled_at_once() -> None:
    queue = a_queue()
    await _fail(queue, A, 10)
    failed = now()
    queue.add(A, Priority.EDIT)
    assert await queue.take() == A
    assert now() == failed


@virtual
async def test_a_closed_queue_gives_out_nothing() -> None:
    queue = a_queue()
    queue.add(A)
    queue.close()
    assert await nothing_comes(queue, 1000)


KEYS = st.builds(Key, st.sampled_from(["red", "blue"]), st.sampled_from("abc"))
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("add"), KEYS, st.sampled_from(Priority)),
        st.tuples(st.just("later"), KEYS, st.floats(0, 100)),
        st.tuples(st.just("fail"), KEYS, st.just(None)),
        st.tuples(st.just("work"), st.integers(1, 5), st.booleans()),
        st.tuples(st.just("pass"), st.floats(0, 50), st.just(None)),
    ),
    max_size=40,
)


@given(STEPS)
def test_whatever_happens_no_key_is_lost_and_none_has_two_workers(steps: list[tuple[str, Any, Any]]) -> None:
    async def run() -> None:
        queue = a_queue(workers=3)
        wanted: set[Key] = set()
        working: list[Key] = []
        for what, first, second in steps:
            if what == "add":
                queue.add(first, second)
                wanted.add(first)
            elif what == "later":
                queue.add_after(first, second)
                wanted.add(first)
            elif what == "fail":
                queue.retry(first)
                wanted.add(first)
            elif what == "pass":
                await asyncio.sleep(first)
            elif working and second:
                queue.done(working.pop(0))
            elif len(working) < 3 and len(queue):
                taker = asyncio.create_task(queue.take())
                await asyncio.sleep(0)
                if not taker.done():
                    taker.cancel()
                    continue
                assert taker.result() not in working
                working.append(taker.result())
                wanted.discard(taker.result())
        for key in working:
            queue.done(key)
        while wanted:
            key = await queue.take()
            wanted.discard(key)
            queue.done(key)

    loop = VirtualLoop()
    try:
        loop.drive(asyncio.wait_for(run(), 10_000))
    finally:
        loop.finish()
