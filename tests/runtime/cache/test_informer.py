"""The informer, with an API server that misbehaves in every way that was ever seen."""

import asyncio
import itertools
from collections.abc import Sequence
from itertools import pairwise

import pytest

from frappe_operator.kube.kinds import DEPLOYMENT
from frappe_operator.kube.live import Workload
from frappe_operator.kube.objects import Key
from frappe_operator.runtime.cache.decoding import Decoder
from frappe_operator.runtime.cache.informer import EVENTS_PER_STEP, GRACE_SECONDS, WATCH_SECONDS, Informer
from frappe_operator.runtime.cache.store import Change, Store
from frappe_operator.runtime.client.client import Client
from frappe_operator.runtime.client.transport import Response
from tests.runtime.scripted_server import (
    CUT,
    HANG,
    ScriptedServer,
    Step,
    a_list,
    added,
    an_object,
    bookmark,
    deleted,
    event,
    failure,
    initial_events_end,
    modified,
    refusal,
)
from tests.runtime.virtual_time import virtual

NEVER_SEND = refusal(422, "Invalid")
"""What a server says that cannot send what exists through a watch."""


class RunningInformer:
    """An informer at work, and what it has told."""

    def __init__(self, server: ScriptedServer, *, optional: bool = False) -> None:
        self.server = server
        self.store = Store(DEPLOYMENT)
        self.changes: list[str] = []
        self.installed: list[bool] = []
        """What was found each time that the kind had been installed or removed."""
        self.informer = Informer(
            Client(server),
            self.store,
            Decoder(Workload),
            self._changed,
            installed=lambda: self.installed.append(self.store.installed),
            optional=optional,
            jitter=lambda: 0.5,
        )
        self._task = asyncio.create_task(self.informer.run())

    def _changed(self, change: Change) -> None:
        live = change.new or change.old
        assert live is not None
        sign = "~" if change.old and change.new else "+" if change.new else "-"
        self.changes.append(f"{sign}{live.metadata.name}")

    async def after(self, seconds: float) -> "RunningInformer":
        await asyncio.sleep(seconds)
        if self._task.done():
            self._task.result()
        return self

    @property
    def names(self) -> list[str]:
        return sorted(live.metadata.name for live in self.store.all())


def watching(*streams: Sequence[Step] | Response, answers: Sequence[Response] = ()) -> RunningInformer:
    return RunningInformer(ScriptedServer(streams, answers))


@virtual
async def test_what_exists_comes_through_the_watch_and_then_what_happens() -> None:
    seen = watching(
        [added("a", 3), added("b", 5), initial_events_end(5), 1.0, modified("a", 6, status={"replicas": 2})]
    )
    await seen.after(0.5)
    assert seen.informer.synced.is_set()
    assert seen.names == ["a", "b"]
    await seen.after(1)
    assert seen.changes == ["+a", "+b", "~a"]
    assert seen.server.opened[0]["sendInitialEvents"] == "true"
    assert seen.server.opened[0]["resourceVersionMatch"] == "NotOlderThan"


@virtual
async def test_the_informer_is_not_synced_before_the_list_is_complete() -> None:
    seen = watching([added("a", 3), 10.0, initial_events_end(5), HANG])
    await seen.after(9)
    assert not seen.informer.synced.is_set()
    await seen.after(2)
    assert seen.informer.synced.is_set()


@virtual
async def test_a_bookmark_within_the_first_list_does_not_end_it() -> None:
    seen = watching([added("a", 3), bookmark(4), 10.0, added("b", 5), initial_events_end(5), HANG])
    await seen.after(9)
    assert not seen.informer.synced.is_set()
    await seen.after(2)
    assert seen.informer.synced.is_set()
    assert seen.names == ["a", "b"]


@pytest.mark.parametrize("end", [[], [CUT]], ids=["ended", "cut"])
def test_a_first_stream_that_is_cut_is_begun_again(end: Sequence[Step]) -> None:
    """What exists is told in any order: from the last object on there would be nothing of the ones before it."""

    @virtual
    async def run() -> None:
        seen = watching([added("b", 8), 2.0, *end], [added("a", 3), 2.0, added("b", 8), initial_events_end(9), HANG])
        await seen.after(4)
        assert not seen.informer.synced.is_set()
        await seen.after(4)
        assert [query.get("sendInitialEvents") for query in seen.server.opened] == ["true", "true"]
        assert seen.changes == ["+b", "+a"]
        assert seen.informer.synced.is_set()

    run()


@virtual
async def test_a_server_without_watch_lists_is_listed_in_pages() -> None:
    pages = [
        a_list(9, an_object("a", 3), more="page 2"),
        a_list(9, an_object("b", 4)),
    ]
    seen = await watching(NEVER_SEND, [modified("b", 10, status={"replicas": 1}), HANG], answers=pages).after(1)
    assert seen.changes == ["+a", "+b", "~b"]
    assert [query.get("continue") for _, _, query in seen.server.asked] == [None, "page 2"]
    assert {query["limit"] for _, _, query in seen.server.asked} == {"500"}
    assert seen.server.opened[1]["resourceVersion"] == "9"


@virtual
async def test_the_next_stream_goes_on_from_the_last_event() -> None:
    seen = await watching([added("a", 3), initial_events_end(5), added("b", 8), CUT], [added("c", 9), HANG]).after(5)
    assert seen.server.opened[1]["resourceVersion"] == "8"
    assert seen.changes == ["+a", "+b", "+c"]


@virtual
async def test_bookmarks_move_it_on() -> None:
    seen = await watching([initial_events_end(5), bookmark(70), CUT], [HANG]).after(5)
    assert seen.server.opened[1]["resourceVersion"] == "70"


@virtual
async def test_a_body_that_is_cut_within_an_event_costs_nothing() -> None:
    cut = added("b", 8)[:40]
    seen = await watching([added("a", 3), initial_events_end(5), cut, CUT], [added("b", 8), HANG]).after(5)
    assert seen.names == ["a", "b"]


@virtual
async def test_events_may_be_cut_into_chunks_anywhere() -> None:
    text = added("a", 3) + added("b", 4) + initial_events_end(4) + deleted("a", 6)
    seen = await watching([text[at : at + 7] for at in range(0, len(text), 7)]).after(0.5)
    assert seen.changes == ["+a", "+b", "-a"]


@pytest.mark.parametrize("gone", [[failure(410, "Expired")], refusal(410, "Expired")])
def test_an_expired_version_means_a_new_list_that_reports_differences_only(gone: Sequence[Step] | Response) -> None:
    @virtual
    async def run() -> None:
        first: list[Step] = [added("a", 3), added("b", 4), added("c", 5), initial_events_end(5), CUT]
        again: list[Step] = [
            added("a", 3),
            modified("b", 8, status={"replicas": 7}),
            added("d", 9),
            initial_events_end(9),
            HANG,
        ]
        seen = await watching(first, gone, again).after(10)
        assert seen.changes[:3] == ["+a", "+b", "+c"]
        assert sorted(seen.changes[3:]) == ["+d", "-c", "~b"]
        assert seen.names == ["a", "b", "d"]
        assert "sendInitialEvents" in seen.server.opened[2]

    run()


@virtual
async def test_deletions_during_a_blackout_are_noticed() -> None:
    first = [added("a", 3), added("b", 4), initial_events_end(5), failure(410)]
    seen = await watching(first, [added("b", 4), initial_events_end(12), HANG]).after(5)
    assert seen.changes == ["+a", "+b", "-a"]


@virtual
async def test_a_silent_watch_is_left_within_seconds_and_what_was_missed_is_caught_up_with() -> None:
    seen = await watching(
        [added("a", 3), initial_events_end(5), CUT],
        [modified("a", 6, status={"replicas": 1}), HANG],
        [modified("a", 9, status={"replicas": 2}), HANG],
    ).after(2 * WATCH_SECONDS)
    assert seen.changes == ["+a", "~a", "~a"]
    assert seen.server.opened_at[2] - seen.server.opened_at[1] <= WATCH_SECONDS + GRACE_SECONDS
    assert seen.server.opened[2]["resourceVersion"] == "6"


@virtual
async def test_a_watch_that_is_silent_after_the_first_list_is_abandoned_too() -> None:
    seen = await watching([added("a", 3), initial_events_end(5), HANG], [added("b", 6), HANG]).after(30)
    assert seen.names == ["a", "b"]


@virtual
async def test_a_silent_first_list_is_given_up() -> None:
    seen = await watching([added("a", 3), HANG], [added("a", 3), initial_events_end(5), HANG]).after(120)
    assert seen.informer.synced.is_set()


@virtual
async def test_watch_streams_are_requested_to_be_short() -> None:
    seen = await watching([initial_events_end(5), CUT], [HANG]).after(5)
    assert int(seen.server.opened[1]["timeoutSeconds"]) <= WATCH_SECONDS + 2


@virtual
async def test_doubled_and_late_events_change_nothing() -> None:
    late = modified("a", 6, status={"replicas": 1})
    seen = await watching(
        [
            added("a", 3),
            initial_events_end(5),
            modified("a", 8, status={"replicas": 2}),
            late,
            late,
            added("a", 3),
            HANG,
        ]
    ).after(1)
    assert seen.changes == ["+a", "~a"]


@virtual
async def test_a_deleted_object_does_not_come_back_by_a_late_event() -> None:
    seen = await watching([added("a", 3), initial_events_end(5), deleted("a", 8), modified("a", 7), HANG]).after(1)
    assert seen.names == []


@virtual
async def test_another_object_of_the_same_name_is_another_object() -> None:
    seen = await watching(
        [added("a", 3), initial_events_end(5), added("a", 9, uid="new"), deleted("a", 8, uid="uid-a"), HANG]
    ).after(1)
    assert seen.names == ["a"]
    item = seen.store.get(Key("ns", "a"))
    assert item is not None
    assert item.live.metadata.uid == "new"


@virtual
async def test_one_broken_object_does_not_stop_the_others() -> None:
    broken = event("ADDED", an_object("bad", 4, spec={"replicas": "many"}))
    seen = await watching([broken, added("a", 3), initial_events_end(5), added("b", 6), HANG]).after(1)
    assert seen.names == ["a", "b"]
    assert seen.informer.undecodable == 1


@virtual
async def test_an_object_that_becomes_unreadable_is_not_taken_for_deleted() -> None:
    first = [added("a", 3), initial_events_end(5), failure(410)]
    broken = event("ADDED", an_object("a", 8, spec={"replicas": "many"}))
    seen = await watching(first, [broken, initial_events_end(9), HANG]).after(5)
    assert seen.names == ["a"]


@virtual
async def test_nonsense_on_the_line_opens_another_stream() -> None:
    seen = await watching([initial_events_end(5), b"<html>\n", HANG], [added("a", 6), HANG]).after(5)
    assert seen.names == ["a"]


@virtual
async def test_a_failing_server_is_requested_with_backoff() -> None:
    server = ScriptedServer(rest=refusal(500, "InternalError"))
    await RunningInformer(server).after(100)
    assert 10 < len(server.opened) < 25
    assert server.opened_at[-1] - server.opened_at[-2] > 5


@virtual
async def test_a_server_that_ends_streams_at_once_is_not_hammered() -> None:
    server = ScriptedServer([[initial_events_end(5), CUT]], rest=[])
    await RunningInformer(server).after(100)
    assert len(server.opened) < 30


@virtual
async def test_retry_after_delays_the_next_request() -> None:
    server = ScriptedServer(
        [refusal(429, "TooManyRequests", **{"Retry-After": "40"})], rest=[initial_events_end(3), HANG]
    )
    seen = await RunningInformer(server).after(39)
    assert len(server.opened) == 1
    await seen.after(2)
    assert seen.informer.synced.is_set()


@virtual
async def test_after_many_refusals_the_place_itself_is_suspected() -> None:
    refused = [refusal(504, "Timeout")] * 6
    seen = await watching([initial_events_end(5), CUT], *refused, [added("a", 2), initial_events_end(3), HANG]).after(
        120
    )
    assert seen.names == ["a"]


@virtual
async def test_an_optional_kind_counts_as_empty_until_it_is_installed() -> None:
    server = ScriptedServer([refusal(404), refusal(403)], rest=[added("a", 3), initial_events_end(5), HANG])
    seen = await RunningInformer(server, optional=True).after(1)
    assert seen.informer.synced.is_set()
    assert seen.names == []
    await seen.after(200)
    assert seen.names == ["a"]


@virtual
async def test_a_required_kind_that_is_not_installed_is_waited_for() -> None:
    server = ScriptedServer([refusal(404), refusal(403)], rest=[added("a", 3), initial_events_end(5), HANG])
    seen = await RunningInformer(server).after(0.1)
    assert (seen.informer.answered.is_set(), seen.informer.synced.is_set()) == (True, False)
    assert not seen.store.installed
    await seen.after(30)
    assert seen.names == ["a"]
    assert seen.store.installed


@virtual
@pytest.mark.parametrize("optional", [True, False])
async def test_a_kind_that_is_not_installed_is_requested_ever_less_often(optional: bool) -> None:
    seen = await RunningInformer(ScriptedServer(rest=refusal(404)), optional=optional).after(3600)
    pauses = [later - earlier for earlier, later in pairwise(seen.server.opened_at)]
    assert pauses[:3] == [0.75, 1.5, 3.0]
    assert max(pauses) == 45.0
    assert len(pauses) < 100
    assert not seen.store.installed


@virtual
async def test_a_kind_that_is_removed_and_installed_again_is_noticed_each_time() -> None:
    server = ScriptedServer(
        [[added("a", 3), initial_events_end(5), 2.0], refusal(404), refusal(404)],
        rest=[added("b", 7), initial_events_end(8), HANG],
    )
    seen = await RunningInformer(server, optional=True).after(2.5)
    assert (seen.names, seen.store.installed, seen.installed) == ([], False, [False])
    await seen.after(10)
    assert (seen.names, seen.store.installed, seen.installed) == (["b"], True, [False, True])


@virtual
async def test_a_required_kind_stays_cached_while_the_server_does_not_serve_it() -> None:
    """An API server that starts may not know its custom kinds yet."""
    server = ScriptedServer([[added("a", 3), initial_events_end(5), 2.0], refusal(404)], rest=[HANG])
    seen = await RunningInformer(server).after(2.5)
    assert (seen.names, seen.store.installed) == (["a"], False)
    await seen.after(10)
    assert (seen.names, seen.store.installed) == (["a"], True)


@virtual
async def test_the_operators_newer_write_survives_an_older_list() -> None:
    seen = watching(
        [added("a", 3), initial_events_end(5), 1.0, failure(410)], [added("a", 3), initial_events_end(6), HANG]
    )
    await seen.after(0.5)
    written = Decoder(Workload).object(added("b", 9)[len(b'{"type": "ADDED", "object": ') : -2])
    seen.store.put(written)
    await seen.after(5)
    assert seen.names == ["a", "b"]


@virtual
async def test_the_age_of_a_watch_is_measured() -> None:
    seen = await watching([initial_events_end(5), 3.0, bookmark(6), HANG]).after(10)
    assert asyncio.get_running_loop().time() - seen.informer.last_activity == 7


@virtual
async def test_a_storm_of_events_lets_other_tasks_run() -> None:
    storm = b"".join(added(f"deploy-{number:04}", number) for number in range(3, 1003))
    seen = watching([initial_events_end(2), 1.0, storm])
    await seen.after(1.0)
    known = [len(seen.store)]
    while known[-1] < 1000:
        await asyncio.sleep(0)
        known.append(len(seen.store))
    assert max(after - before for before, after in itertools.pairwise([0, *known])) <= EVENTS_PER_STEP
