"""The store: never older than it was, whatever comes in which order."""

import json
from collections.abc import Iterable
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from frappe_operator.kube.kinds import DEPLOYMENT
from frappe_operator.kube.live import Live, Workload
from frappe_operator.kube.objects import Key, Manifest
from frappe_operator.runtime.cache.decoding import Decoded, Decoder
from frappe_operator.runtime.cache.store import FOR_EVER, Change, Store
from tests.runtime.scripted_server import an_object

decode = Decoder(Workload).object
A = Key("ns", "a")


def an_item(name: str, version: int, uid: str = "", **more: object) -> Decoded:
    return decode(json.dumps(an_object(name, version, uid, **more)).encode())


def owner(uid: str) -> Manifest:
    return {"ownerReferences": [{"kind": "K", "name": "n", "uid": uid, "controller": True}]}


def by_image(live: Live) -> Iterable[str]:
    return [live.metadata.label("image")]


def a_store() -> Store:
    return Store(DEPLOYMENT, {"image": by_image})


def version_of(store: Store, key: Key = A) -> int | None:
    item = store.get(key)
    return item.version if item else None


def test_something_older_is_not_taken() -> None:
    store = a_store()
    store.put(an_item("a", 7))
    assert store.put(an_item("a", 5, spec={"replicas": 9})) is None
    assert version_of(store) == 7


def test_only_what_differs_is_a_change() -> None:
    store = a_store()
    assert store.put(an_item("a", 1)) is not None
    assert store.put(an_item("a", 2, metadata={"managedFields": [{"manager": "x"}], "selfLink": "y"})) is None
    assert version_of(store) == 2
    assert store.put(an_item("a", 3, spec={"replicas": 2})) is not None
    assert store.put(an_item("a", 4, spec={"replicas": 2, "paused": True})) is not None, "not kept, but in the digest"
    assert store.put(an_item("a", 5, spec={"replicas": 2, "paused": True}, status={"replicas": 1})) is not None


def test_a_new_version_without_a_difference_updates_the_resource_version() -> None:
    store = a_store()
    store.put(an_item("a", 1))
    store.put(an_item("a", 2))
    item = store.get(A)
    assert item is not None
    assert item.live.metadata.resource_version == 2


def test_the_digest_knows_what_people_set_and_nothing_else() -> None:
    plain = an_item("a", 1).item.digest
    assert an_item("a", 2, status={"replicas": 3}, metadata={"generation": 4}).item.digest == plain
    for different in (
        {"spec": {"replicas": 2}},
        {"data": {"x": "y"}},
        {"metadata": {"labels": {"x": "y"}}},
        {"metadata": {"annotations": {"x": "y"}}},
        {"metadata": owner("u")},
    ):
        assert an_item("a", 1, **different).item.digest != plain, different


def test_labels_that_nobody_reads_are_not_cached_but_their_change_is_noticed() -> None:
    labels = {"app.kubernetes.io/name": "frappe", "vyogo.tech/site": "acme"}
    kept, other = (
        an_item("a", 1, metadata={"labels": {**labels, "app.kubernetes.io/name": name}}).item for name in "xy"
    )
    assert kept.live.metadata.labels == ("vyogo.tech/site", "acme")
    assert kept.digest != other.digest


def test_of_a_metadata_only_object_every_version_may_be_a_change() -> None:
    decode = Decoder(Live, metadata_only=True).object
    first, second = (decode(json.dumps(an_object("a", version)).encode()).item.digest for version in (1, 2))
    assert first != second


def test_what_was_verified_stays_so_for_the_next_version_of_the_same_object_only() -> None:
    store = a_store()
    store.put(an_item("a", 1))
    known = store.get(A)
    assert known is not None
    known.verified = 42
    store.put(an_item("a", 2, status={"replicas": 1}))
    item = store.get(A)
    assert item is not None
    assert item.verified == 42
    store.put(an_item("a", 3, uid="another"))
    item = store.get(A)
    assert item is not None
    assert item.verified == 0


def test_a_deleted_object_does_not_come_back_by_an_old_answer() -> None:
    store = a_store()
    store.put(an_item("a", 5))
    assert store.delete(A, "uid-a", 9) == Change(DEPLOYMENT, an_item("a", 5).item.live, None)
    assert store.put(an_item("a", 7)) is None
    assert version_of(store) is None


def test_an_object_that_left_the_selection_comes_back_when_it_returns() -> None:
    store = a_store()
    store.put(an_item("a", 5))
    store.delete(A, "uid-a", 9)
    assert store.put(an_item("a", 12)) is not None


def test_what_we_deleted_ourselves_never_comes_back() -> None:
    store = a_store()
    store.put(an_item("a", 5))
    store.delete(A, "uid-a", FOR_EVER)
    assert store.put(an_item("a", 99)) is None
    assert store.put(an_item("a", 100, uid="another")) is not None


def test_deleting_the_old_object_does_not_touch_the_new_one_of_the_same_name() -> None:
    store = a_store()
    store.put(an_item("a", 5))
    store.put(an_item("a", 8, uid="another"))
    assert store.delete(A, "uid-a", 7) is None
    assert version_of(store) == 8


def test_the_old_object_does_not_displace_the_new_one_of_the_same_name() -> None:
    store = a_store()
    store.put(an_item("a", 8, uid="another"))
    assert store.put(an_item("a", 7)) is None
    item = store.get(A)
    assert item is not None
    assert item.live.metadata.uid == "another"


def test_unlisted_objects_are_removed_unless_they_are_newer_than_the_list() -> None:
    store = a_store()
    for name, version in (("a", 5), ("b", 6), ("c", 20)):
        store.put(an_item(name, version))
    changes = store.delete_unlisted({"uid-a"}, "", 10)
    assert [change.old.metadata.name for change in changes if change.old] == ["b"]
    assert len(store) == 2


def test_a_list_of_one_namespace_removes_nothing_in_others() -> None:
    store = a_store()
    store.put(an_item("a", 5))
    store.put(an_item("b", 5, namespace="other"))
    store.delete_unlisted(set(), "ns", 10)
    assert [live.metadata.name for live in store.all()] == ["b"]


def test_children_are_found_by_their_controller() -> None:
    store = a_store()
    store.put(an_item("a", 1, metadata=owner("mine")))
    store.put(an_item("b", 2, metadata=owner("yours")))
    assert [live.metadata.name for live in store.owned("mine")] == ["a"]
    store.put(an_item("a", 3, metadata=owner("yours")))
    assert store.owned("mine") == []
    assert len(store.owned("yours")) == 2


def test_an_index_follows_its_objects() -> None:
    store = a_store()
    store.put(an_item("a", 1, metadata={"labels": {"image": "x"}}))
    assert len(store.select("image", "x")) == 1
    store.put(an_item("a", 2, metadata={"labels": {"image": "y"}}))
    assert store.select("image", "x") == []
    store.delete(A, "uid-a", 3)
    assert store.select("image", "y") == []


def test_an_index_knows_every_object_with_a_value_however_many_there_are() -> None:
    store = a_store()
    shared = {"labels": {"image": "x"}}
    for number, name in enumerate(("a", "b", "c")):
        store.put(an_item(name, number, metadata=shared))
    assert [live.metadata.name for live in store.select("image", "x")] == ["a", "b", "c"]
    store.put(an_item("b", 9, metadata={"labels": {"image": "y"}}))
    store.delete(A, "uid-a", 10)
    assert [live.metadata.name for live in store.select("image", "x")] == ["c"]
    assert [live.metadata.name for live in store.select("image", "y")] == ["b"]
    store.put(an_item("a", 11, metadata=shared))
    assert [live.metadata.name for live in store.select("image", "x")] == ["c", "a"]


def test_a_value_that_an_index_gives_twice_is_one_entry() -> None:
    store = Store(DEPLOYMENT, {"twice": lambda live: ["x", "x"]})
    store.put(an_item("a", 1))
    assert len(store.select("twice", "x")) == 1
    store.put(an_item("b", 2))
    store.delete(A, "uid-a", 3)
    assert [live.metadata.name for live in store.select("twice", "x")] == ["b"]


def test_an_index_that_fails_for_one_object_serves_the_others() -> None:
    def strange(live: Live) -> Iterable[str]:
        return [str(1 // (live.metadata.name != "a"))]

    store = Store(DEPLOYMENT, {"strange": strange})
    store.put(an_item("a", 1))
    store.put(an_item("b", 2))
    assert [live.metadata.name for live in store.select("strange", "1")] == ["b"]


UIDS = ("one", "two")
HAPPENINGS = st.permutations(range(12))


@given(HAPPENINGS, st.lists(st.integers(0, 11), max_size=6))
def test_in_whatever_order_and_however_often_things_arrive_the_end_is_the_last_of_them(
    order: list[int], again: list[int]
) -> None:
    """One object lives through versions 1 to 5 and is deleted at 6; another of its name follows, 7 to 12."""
    store = a_store()
    for moment in [*order, *again]:
        version, uid = moment + 1, UIDS[moment >= 6]
        before = version_of(store)
        if version == 6:
            store.delete(A, uid, version)
        else:
            store.put(an_item("a", version, uid, spec={"replicas": version}))
        after = version_of(store)
        assert before is None or after is None or after >= before
    item = store.get(A)
    assert item is not None
    assert (item.version, item.live.metadata.uid) == (12, "two")


CHOICES: dict[str, list[Any]] = {
    "generation": [1, 2],
    "labels": [None, {"image": "a"}, {"image": "b"}],
    "annotations": [None, {"note": "a"}],
    "finalizers": [[], ["stay"]],
    "deletionTimestamp": [None, "2026-01-01T00:00:00Z"],
}
STATES = st.fixed_dictionaries(
    {
        "metadata": st.fixed_dictionaries({name: st.sampled_from(values) for name, values in CHOICES.items()}),
        "spec": st.sampled_from([{}, {"replicas": 2}, {"paused": True}]),
        "status": st.sampled_from([{}, {"replicas": 1}]),
        "uid": st.sampled_from(["one", "two"]),
    }
)


@given(st.lists(STATES, max_size=8))
def test_a_cached_version_saves_decoding_and_changes_nothing(states: list[dict[str, Any]]) -> None:
    knowing, plain = a_store(), a_store()
    spared = Decoder(Workload, cached=knowing.get)
    for version, state in enumerate(states, 1):
        body = json.dumps(an_object("a", version, **state)).encode()
        assert knowing.put(spared.object(body)) == plain.put(decode(body))
        assert knowing.get(A) == plain.get(A)
        for image in ("a", "b", ""):
            assert knowing.select("image", image) == plain.select("image", image)
