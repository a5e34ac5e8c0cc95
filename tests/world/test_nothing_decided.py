"""While nothing can be decided, a running bench or site is left as it is; it is repaired once it can be decided."""

import copy
from collections.abc import Callable
from typing import NamedTuple

import pytest

from fakecluster.samples import a_bench, a_site, a_world
from fakecluster.world import World, settle
from frappe_operator.api.kinds import BENCH, SITE
from frappe_operator.bench import checks as bench_checks
from frappe_operator.kube.kinds import CONFIG_MAP, DEPLOYMENT, INGRESS, JOB, POD, PVC, SECRET, SERVICE, Kind, Ref
from frappe_operator.model.upgrade import RELEASE_LABEL
from frappe_operator.site import checks as site_checks

Act = Callable[[World], None]


class Trouble(NamedTuple):
    """A premise of the decisions fails, and holds again."""

    name: str
    premise: object
    begin: Act
    end: Act
    kind: Kind
    """The kind whose Ready says so."""
    reason: str
    words: str


def store_spec(kind: Kind, name: str, **fields: object) -> Act:
    """Fields of a spec as a CustomResourceDefinition of another version lets them through."""

    def store(world: World) -> None:
        ref = Ref(kind, "default", name)
        obj = copy.deepcopy(world.get_existing(ref))
        obj["spec"] = {key: value for key, value in {**obj["spec"], **fields}.items() if value is not None}
        obj["metadata"]["generation"] += 1
        world.api.store.put(ref, obj)

    return store


def lose_bench(world: World) -> None:
    """The bench is deleted by somebody who removes its finalizer."""
    world.delete(BENCH, "forge")
    world.run(1)
    world.edit(BENCH, "forge", {"metadata": {"finalizers": None}})


def lose_image(world: World) -> None:
    """Every record of what the image contains is gone, and the image cannot be pulled."""
    world.kubelet.pulls["forge-image-*"] = ("ErrImagePull", "not found")
    world.changed()
    for kind, pattern in ((CONFIG_MAP, "forge-image"), (JOB, "forge-image-*"), (POD, "forge-image-*")):
        for obj in world.all(kind, pattern):
            world.delete(kind, obj["metadata"]["name"])
    world.edit(BENCH, "forge", {"status": {"image": None}}, subresource="status")


def find_image(world: World) -> None:
    world.kubelet.pulls.clear()
    world.changed()


def label_release(key: str | None) -> Callable[[World], None]:
    """Somebody changes the record of the release on the claim for files, or removes it."""
    return lambda world: world.edit(PVC, "acme-files", {"metadata": {"labels": {RELEASE_LABEL: key}}})


TROUBLES = [
    Trouble(
        "a spec of a site that cannot be read",
        site_checks.spec_is_readable,
        store_spec(SITE, "acme", aliases="shop.example.com"),
        store_spec(SITE, "acme", aliases=None),
        SITE,
        "InvalidSpec",
        "spec: Expected `array | null`, got `str` - at `$.aliases`",
    ),
    Trouble(
        "a spec of a bench that cannot be read",
        bench_checks.spec_is_readable,
        store_spec(BENCH, "forge", apps="erpnext"),
        store_spec(BENCH, "forge", apps=None),
        BENCH,
        "InvalidSpec",
        "spec: Expected `array | null`, got `str` - at `$.apps`",
    ),
    Trouble(
        "a spec of a bench that cannot be read, as a site reports it",
        site_checks.bench_spec_is_readable,
        store_spec(BENCH, "forge", apps="erpnext"),
        store_spec(BENCH, "forge", apps=None),
        SITE,
        "InvalidSpec",
        "FrappeBench forge: spec: Expected",
    ),
    Trouble(
        "no bench",
        site_checks.bench_exists,
        lose_bench,
        lambda world: world.add(a_bench()),
        SITE,
        "BenchNotFound",
        "FrappeBench forge does not exist in namespace default",
    ),
    Trouble(
        "an image of which nothing is known",
        site_checks.image_is_inspected,
        lose_image,
        find_image,
        SITE,
        "BenchNotReady",
        "has not inspected its image yet",
    ),
    Trouble(
        "data of an image of which nothing is known",
        site_checks.release_is_known,
        label_release("0123456789ab"),
        label_release(None),
        SITE,
        "ReleaseUnknown",
        "The data of the site is of the release 0123456789ab",
    ),
]


def test_there_is_a_trouble_for_each_premise() -> None:
    premises: set[object] = {*bench_checks.PREMISES, *site_checks.PREMISES}
    assert {each.premise for each in TROUBLES} == premises


@pytest.mark.parametrize("trouble", TROUBLES, ids=lambda each: each.name)
def test_it_is_left_as_it_is_and_repaired_when_it_can_be_decided(trouble: Trouble) -> None:
    world = a_world(a_bench(), a_site())
    settle(world)
    before = {str(ref): world.get_existing(ref) for ref in world.children("acme")}
    uids = {ref: world.get_existing(ref)["metadata"]["uid"] for ref in world.children("acme")}
    data = {ref: world.get_existing(ref)["metadata"]["uid"] for ref in world.children() if ref.kind is PVC}
    trouble.begin(world)
    settle(world)
    ready = world.condition("Ready", kind=trouble.kind)
    assert (ready.status, ready.reason) == ("False", trouble.reason), ready.message
    assert trouble.words in ready.message
    assert {ref: world.get_existing(ref)["metadata"]["uid"] for ref in uids} == uids
    world.edit(DEPLOYMENT, "acme-gunicorn", {"spec": {"replicas": 7}})
    world.edit(SERVICE, "acme-gunicorn", {"spec": {"selector": {"app.kubernetes.io/name": "other"}}})
    world.delete(INGRESS, "acme")
    settle(world)
    world.assert_no_writes(600)
    trouble.end(world)
    settle(world)
    assert world.condition("Ready", "forge", BENCH).ok, world.condition("Ready", "forge", BENCH)
    assert world.condition("Ready", "acme", SITE).ok, world.condition("Ready", "acme", SITE)
    after = {str(ref): world.get_existing(ref) for ref in world.children("acme")}
    assert after.keys() == before.keys()
    assert {name: each.get("spec", {}).get("replicas") for name, each in after.items()} == {
        name: each.get("spec", {}).get("replicas") for name, each in before.items()
    }
    assert after["Service acme-gunicorn"]["spec"]["selector"] == before["Service acme-gunicorn"]["spec"]["selector"]
    kept = {ref: uid for ref, uid in data.items() if ref.name == "acme-files"}
    assert kept
    assert {ref: world.get_existing(ref)["metadata"]["uid"] for ref in kept} == kept
    assert world.get(SECRET, "acme-admin")
    world.assert_no_writes(600)
