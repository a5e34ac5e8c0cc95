"""What equal objects share in memory, and that nobody notices."""

import json
from typing import Any

from frappe_operator.kube.kinds import CONFIG_MAP, DEPLOYMENT, PVC, SERVICE
from frappe_operator.kube.live import Claim, Live, Meta
from frappe_operator.runtime.cache.cache import Cache, CachedKind
from frappe_operator.runtime.cache.decoding import Decoder
from frappe_operator.runtime.cache.store import Store
from tests.runtime.scripted_server import an_object

KINDS = (DEPLOYMENT, SERVICE, CONFIG_MAP)
LABELS = {"bench": "forge", "site": "acme"}
OWNER = {"apiVersion": "vyogo.tech/v1alpha1", "kind": "FrappeSite", "name": "acme", "uid": "u", "controller": True}


def a_cache() -> Cache:
    return Cache([CachedKind(kind) for kind in KINDS])


def put(cache: Cache, number: int, version: int, labels: dict[str, str] | None = None, **owner: Any) -> Meta:
    """Caches a child of the kind with this number. Returns its metadata as the cache has it."""
    kind = KINDS[number]
    metadata = {"labels": labels or LABELS, "ownerReferences": [{**OWNER, **owner}]}
    text = json.dumps(an_object("acme", version, f"uid-{number}", metadata=metadata)).encode()
    cache.stores[kind].put(cache.decoders[kind].object(text))
    found: Live = cache.stores[kind].all()[0]
    return found.metadata


def test_the_children_of_an_owner_share_its_reference_and_their_labels() -> None:
    cache = a_cache()
    first, *others = [put(cache, number, 1) for number in range(len(KINDS))]
    assert all(each.labels is first.labels for each in others)
    assert all(each.owner_references is first.owner_references for each in others)
    again = put(cache, 1, 2, {**LABELS, "more": "yes"})
    assert again.label("more") == "yes"
    assert first.label("more") == ""
    back = put(cache, 1, 3)
    assert back.labels is first.labels


def test_what_differs_is_not_shared() -> None:
    cache = a_cache()
    first = put(cache, 0, 1)
    assert put(cache, 1, 1, {**LABELS, "site": "other"}).label("site") == "other"
    renamed = put(cache, 2, 1, name="other")
    assert (renamed.owner_references[0].name, first.owner_references[0].name) == ("other", "acme")


def test_equal_claims_share_spec_and_status_and_their_size_is_not_cached() -> None:
    store = Store(PVC)

    def put(name: str, version: int, **status: Any) -> Claim:
        spec = {"storageClassName": "nfs", "accessModes": ["ReadWriteMany"]}
        text = json.dumps(an_object(name, version, spec=spec, status={"phase": "Bound", **status})).encode()
        store.put(Decoder(Claim, cached=store.get).object(text))
        found = next(live for live in store.all() if live.metadata.name == name)
        assert isinstance(found, Claim)
        return found

    first, second = put("a", 1, capacity={"storage": "1Gi"}), put("b", 2, capacity={"storage": "2Gi"})
    assert first.spec is second.spec
    assert first.status is second.status
    assert second.access_mode == "ReadWriteMany"
    assert put("a", 3, phase="Lost").status.phase == "Lost"
    assert second.status.phase == "Bound"
