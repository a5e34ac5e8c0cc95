"""What is whose: nobody else's object is ever touched, and nothing is made for an owner that is gone."""

import asyncio
from typing import Any

import pytest

from frappe_operator.kube.kinds import CONFIG_MAP, DEPLOYMENT, PVC, SECRET, Ref
from frappe_operator.kube.objects import Manifest
from frappe_operator.kube.reasons import Reason
from frappe_operator.runtime.apply.children import apply
from frappe_operator.runtime.client.errors import Conflict
from tests.runtime.environment import (
    NS,
    OWNER,
    TOY,
    Bed,
    a_bed,
    a_claim,
    a_config,
    a_deployment,
    a_secret,
    child,
    stage,
)
from tests.runtime.virtual_time import virtual


def by_another(manifest: Manifest, **metadata: Any) -> Manifest:
    return {**manifest, "metadata": {**manifest["metadata"], **metadata}}


@pytest.mark.parametrize(
    "metadata",
    [
        {"labels": {}},
        {},
        {"ownerReferences": [{"apiVersion": "v1", "kind": "Pod", "name": "x", "uid": "u", "controller": True}]},
    ],
    ids=["unknown", "with our label", "of another owner"],
)
@pytest.mark.parametrize("once", [False, True])
def test_what_belongs_to_another_is_never_touched(metadata: Manifest, once: bool) -> None:
    @virtual
    async def run() -> None:
        async with a_bed() as bed:
            wanted = a_secret() if once else a_config(size="1")
            theirs = by_another(a_secret("theirs") if once else a_config(size="theirs"), **metadata)
            await bed.create(theirs)
            kind = SECRET if once else CONFIG_MAP
            before = bed.get(kind, theirs["metadata"]["name"])
            for _ in range(3):
                done = await bed.apply(stage(once=[wanted]) if once else stage(wanted))
            verdict = done.verdicts["Ready1"]
            assert (verdict.reason, verdict.blocked) == (Reason.NAME_CONFLICT, True)
            assert theirs["metadata"]["name"] in verdict.message
            assert bed.get(kind, theirs["metadata"]["name"]) == before
            await bed.delete(kind, theirs["metadata"]["name"])
            done = await bed.apply(stage(once=[wanted]) if once else stage(wanted))
            assert done.verdicts["Ready1"].ok

    run()


@virtual
async def test_a_conflict_in_one_stage_does_not_stop_what_exists_of_others() -> None:
    async with a_bed() as bed:
        await bed.apply(stage(a_deployment(), name="Two"))
        await bed.create(by_another(a_config(), labels={}))
        await bed.edit(DEPLOYMENT, "bear-web", {"spec": {"replicas": 7}})
        done = await bed.apply(stage(a_config(), name="One"), stage(a_deployment(), name="Two"))
        assert bed.get(DEPLOYMENT, "bear-web")["spec"]["replicas"] == 1
        assert not done.verdicts["One"].ok
        assert done.verdicts["Two"].ok


@virtual
async def test_a_name_that_was_taken_is_not_tried_by_writing_again() -> None:
    async with a_bed() as bed:
        await bed.create(by_another(a_config(), labels={}))
        await bed.apply(stage(a_config()))
        bed.writes()
        for _ in range(5):
            await bed.apply(stage(a_config()))
        assert bed.writes() == []


@virtual
async def test_another_object_of_the_same_name_is_not_written_by_mistake() -> None:
    """The watch has not told yet that the child was deleted and somebody made another."""
    async with a_bed() as bed:
        await bed.apply(stage(a_config()))
        stale = bed.owner
        bed.api.delete(Ref(CONFIG_MAP, NS, "bear-config"))
        bed.api.create(by_another(a_config(size="theirs"), labels={}), "kubectl")
        with pytest.raises(Conflict):
            await apply(bed.cluster, TOY, stale, [stage(a_config(size="2"))])
        assert bed.get(CONFIG_MAP, "bear-config")["data"] == {"size": "theirs"}


def taken_over(bed: Bed, name: str = "bear-config") -> None:
    """A child goes, and somebody makes another object of its name."""
    bed.api.delete(Ref(CONFIG_MAP, NS, name))
    bed.api.create(by_another(a_config(name, size="theirs"), labels={}), "kubectl")


@virtual
async def test_what_takes_the_name_while_we_compare_is_not_written() -> None:
    async with a_bed() as bed:
        await bed.apply(stage(a_config()))
        bed.before_next("apply", lambda: taken_over(bed))
        with pytest.raises(Conflict):
            await bed.apply(stage(a_config(size="2")))
        assert bed.get(CONFIG_MAP, "bear-config")["data"] == {"size": "theirs"}


@virtual
async def test_children_of_an_earlier_owner_of_the_same_name_are_not_its_own() -> None:
    """They wait for the garbage collector, which knows owners by their UID."""
    async with a_bed() as bed:
        earlier = {"apiVersion": TOY.api_version, "kind": "Toy", "name": OWNER.name, "uid": "earlier"}
        await bed.create(by_another(a_config(size="theirs"), ownerReferences=[{**earlier, "controller": True}]))
        bed.writes()
        done = await bed.apply(stage(a_config()))
        assert bed.writes() == []
        assert done.verdicts["Ready1"].reason == Reason.NAME_CONFLICT


@virtual
async def test_a_new_process_makes_nothing_for_an_owner_that_is_not_there_any_more() -> None:
    async with a_bed(leading=True) as bed:
        bed.before_next("get", lambda: bed.api.delete(Ref(TOY, *OWNER)))
        with pytest.raises(Conflict, match="Toy default/bear has changed or does not exist any more"):
            await bed.apply(stage(a_config(), a_deployment()), stage(once=[a_secret()]))
        assert bed.writes() == []


@virtual
async def test_what_a_deletion_needs_is_made_by_a_new_process_too() -> None:
    async with a_bed(leading=True) as bed:
        await bed.edit(TOY, "bear", {"metadata": {"finalizers": ["toys.example.com/keep"]}})
        await bed.delete(TOY, "bear")
        assert bed.owner.deleting
        await bed.apply(stage(a_config()))
        assert bed.writes() == ["apply ConfigMap bear-config"]


@virtual
async def test_the_owner_is_asked_for_once_a_pass_and_only_in_the_beginning() -> None:
    async with a_bed(leading=True) as bed:
        await bed.apply(stage(a_config(), a_deployment()), stage(once=[a_secret()]))
        assert bed.requests().count("get Toy bear") == 1
        await bed.apply(stage(a_config(), a_deployment()), stage(once=[a_secret()]))
        assert bed.requests() == []
        late = child(CONFIG_MAP, "bear-late")
        await bed.apply(stage(a_config(), a_deployment(), late), stage(once=[a_secret()]))
        assert bed.requests() == ["apply ConfigMap bear-late"]


@virtual
async def test_an_owner_that_is_younger_than_the_process_is_known_to_be_there() -> None:
    async with a_bed(leading=True) as bed:
        await asyncio.sleep(2)
        await bed.delete(TOY, "bear")
        await bed.create({"apiVersion": TOY.api_version, "kind": "Toy", "metadata": {"name": "bear", "namespace": NS}})
        bed.requests()
        await bed.apply(stage(a_config()))
        assert bed.requests() == ["apply ConfigMap bear-config"]


@virtual
async def test_a_child_that_was_given_to_another_is_not_deleted() -> None:
    """Our view is behind: the fresh look tells that it is not ours any more."""
    async with a_bed() as bed:
        await bed.apply(stage(a_config()))
        other = [{"apiVersion": "v1", "kind": "Pod", "name": "x", "uid": "u", "controller": True}]
        bed.api.merge(Ref(CONFIG_MAP, NS, "bear-config"), {"metadata": {"ownerReferences": other}}, "kubectl")
        bed.writes()
        await apply(bed.cluster, TOY, bed.owner, [], prune=(CONFIG_MAP,))
        assert bed.writes() == []
        assert bed.exists(CONFIG_MAP, "bear-config")


@virtual
async def test_a_new_object_of_the_name_is_not_deleted_for_the_old_one() -> None:
    """It is made after the fresh look, and before the delete arrives."""
    async with a_bed() as bed:
        await bed.apply(stage(a_config()))
        bed.before_next("delete", lambda: taken_over(bed))
        with pytest.raises(Conflict):
            await bed.apply(stage())
        assert bed.get(CONFIG_MAP, "bear-config")["data"] == {"size": "theirs"}


@virtual
async def test_what_outlives_its_owner_has_none_and_is_found_again_by_its_labels() -> None:
    async with a_bed() as bed:
        kept = a_claim("5Gi", metadata={"ownerReferences": []})
        await bed.apply(stage(kept))
        uid = bed.get(PVC, "bear-files")["metadata"]["uid"]
        assert "ownerReferences" not in bed.get(PVC, "bear-files")["metadata"]
        bed.writes()
        done = await bed.apply(stage(kept))
        assert (bed.writes(), done.verdicts["Ready1"].ok) == ([], True)
        assert bed.get(PVC, "bear-files")["metadata"]["uid"] == uid


@virtual
async def test_what_outlives_its_owner_is_not_taken_from_another() -> None:
    async with a_bed() as bed:
        labels = {"app.kubernetes.io/managed-by": "frappe-operator", "app.kubernetes.io/instance": "wolf"}
        kept = a_claim("5Gi", metadata={"ownerReferences": []})
        await bed.create(by_another(a_claim("5Gi"), labels=labels))
        done = await bed.apply(stage(kept))
        assert done.verdicts["Ready1"].reason == Reason.NAME_CONFLICT


@virtual
async def test_what_is_retained_and_was_not_seen_yet_is_not_written_over() -> None:
    """Its labels may say what was just decided without them: the next reconcile, which has seen them, decides anew."""
    async with a_bed() as bed:
        labels = {"app.kubernetes.io/managed-by": "frappe-operator", "app.kubernetes.io/instance": "bear"}
        kept = by_another(a_claim("5Gi"), labels={**labels, "word": "new"}, ownerReferences=[])
        bed.api.create(by_another(a_claim("5Gi"), labels={**labels, "word": "retained"}), "frappe-operator")
        with pytest.raises(Conflict, match="was not cached yet"):
            await apply(bed.cluster, TOY, bed.owner, [stage(kept)])
        assert bed.get(PVC, "bear-files")["metadata"]["labels"]["word"] == "retained"
