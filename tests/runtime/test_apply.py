"""Children: made, kept right, made once, in order, gone when not wanted; and never anybody else's."""

import asyncio
import contextlib
import gc
from typing import Any

import pytest

from frappe_operator.kube.kinds import CONFIG_MAP, DEPLOYMENT, INGRESS, JOB, PVC, SECRET, Key, Manifest, Ref
from frappe_operator.kube.live import Live
from frappe_operator.kube.readiness import exist
from frappe_operator.kube.stage import Lives, Reason, Stage, Verdict
from frappe_operator.runtime.apply import apply
from frappe_operator.runtime.cluster import YOUNG_SECONDS
from frappe_operator.runtime.errors import ApiError, Conflict
from frappe_operator.runtime.queue import REST_SECONDS
from tests.runtime.bed import (
    NS,
    OWNER,
    TOY,
    Bed,
    a_bed,
    a_claim,
    a_config,
    a_deployment,
    a_job,
    a_secret,
    child,
    stage,
)
from tests.runtime.virtual import virtual
from tests.world.refusals import Refused


def not_yet(lives: Lives) -> Verdict:
    return Verdict(False, Reason.PROVISIONING, "not yet")


@virtual
async def test_a_child_is_made_with_its_owner() -> None:
    async with a_bed() as bed:
        done = await bed.apply(stage(a_config()))
        assert bed.writes() == ["apply ConfigMap bear-config"]
        owner = bed.get(CONFIG_MAP, "bear-config")["metadata"]["ownerReferences"]
        assert owner == [
            {
                "apiVersion": TOY.api_version,
                "kind": "Toy",
                "name": "bear",
                "uid": bed.owner.metadata.uid,
                "controller": True,
                "blockOwnerDeletion": True,
            }
        ]
        assert done.verdicts["Ready1"].ok
        assert [ref.name for ref in done.written] == ["bear-config"]


@virtual
async def test_the_verdict_sees_what_was_just_written() -> None:
    seen: list[Live | None] = []

    def look(lives: Lives) -> Verdict:
        seen.extend(lives)
        return Verdict(True, Reason.READY, "")

    async with a_bed() as bed:
        await bed.apply(Stage("One", [a_deployment()], look, once=[a_secret()]))
    assert [live.metadata.name for live in seen if live] == ["bear-web", "bear-key"]


@virtual
async def test_what_is_right_costs_no_request() -> None:
    async with a_bed() as bed:
        stages = [stage(a_config(), a_deployment(), a_claim("5Gi"), once=[a_secret(), a_job()])]
        await bed.apply(*stages)
        assert len(bed.writes()) == 5
        bed.requests()
        await bed.apply(*stages)
        await bed.apply(*stages)
        assert bed.requests() == []


@virtual
async def test_after_a_restart_every_child_is_compared_once_and_none_written() -> None:
    stages = [stage(a_config(), a_deployment(), a_claim("5Gi"), once=[a_secret(), a_job()])]
    async with a_bed() as bed:
        await bed.apply(*stages)
    async with a_bed(after=bed) as again:
        await again.apply(*stages)
        # Of one only its metadata is watched; of the other the server has its own way to write the amounts.
        assert again.requests() == ["get ConfigMap bear-config", "get Deployment bear-web"]
        await again.apply(*stages)
        assert again.requests() == []


@virtual
async def test_what_was_edited_while_nobody_looked_is_put_right() -> None:
    async with a_bed() as bed:
        await bed.apply(stage(a_deployment(paused=True)))
    patch = {"spec": {"replicas": 7, "template": {"spec": {"nodeSelector": {"a": "b"}}}}}
    bed.api.merge(Ref(DEPLOYMENT, NS, "bear-web"), patch, "kubectl")
    async with a_bed(after=bed) as again:
        await again.apply(stage(a_deployment()))
        spec = again.get(DEPLOYMENT, "bear-web")["spec"]
        assert spec["replicas"] == 1
        assert "paused" not in spec, "ours, and not wanted any more"
        assert spec["template"]["spec"]["nodeSelector"] == {"a": "b"}, "theirs"
        again.requests()
        await again.apply(stage(a_deployment()))
        assert again.requests() == []


@pytest.mark.parametrize(
    "patch",
    [
        {"data": {"size": "9"}},
        {"data": {"size": None}},
        {"metadata": {"labels": {"app.kubernetes.io/instance": "wolf"}}},
    ],
)
def test_a_child_edited_by_hand_is_put_right(patch: Manifest) -> None:
    @virtual
    async def run() -> None:
        async with a_bed() as bed:
            await bed.apply(stage(a_config()))
            before = bed.get(CONFIG_MAP, "bear-config")
            bed.writes()
            await bed.edit(CONFIG_MAP, "bear-config", patch)
            await bed.apply(stage(a_config()))
            assert bed.writes() == ["apply ConfigMap bear-config"]
            after = bed.get(CONFIG_MAP, "bear-config")
            assert after["data"] == before["data"]
            assert after["metadata"]["labels"] == before["metadata"]["labels"]

    run()


@virtual
async def test_what_others_add_is_theirs() -> None:
    async with a_bed() as bed:
        await bed.apply(stage(a_config(), a_deployment()))
        bed.writes()
        await bed.edit(CONFIG_MAP, "bear-config", {"data": {"theirs": "x"}, "metadata": {"annotations": {"a": "b"}}})
        await bed.edit(DEPLOYMENT, "bear-web", {"spec": {"template": {"spec": {"nodeSelector": {"a": "b"}}}}})
        await bed.apply(stage(a_config(), a_deployment()))
        assert bed.writes() == []
        assert bed.get(CONFIG_MAP, "bear-config")["data"]["theirs"] == "x"


@virtual
async def test_a_field_we_set_before_and_do_not_want_any_more_goes_even_after_a_restart() -> None:
    async with a_bed() as bed:
        await bed.apply(stage(a_config(size="1", colour="red")))
        await bed.apply(stage(a_config(size="1")))
        assert bed.get(CONFIG_MAP, "bear-config")["data"] == {"size": "1"}


@virtual
async def test_a_changed_wish_reaches_the_child() -> None:
    async with a_bed() as bed:
        await bed.apply(stage(a_deployment()))
        await bed.apply(stage(a_deployment(replicas=3, container={"image": "y"})))
        spec = bed.get(DEPLOYMENT, "bear-web")["spec"]
        assert (spec["replicas"], spec["template"]["spec"]["containers"][0]["image"]) == (3, "y")


@virtual
async def test_a_deleted_child_comes_back() -> None:
    async with a_bed() as bed:
        await bed.apply(stage(a_config()))
        await bed.delete(CONFIG_MAP, "bear-config")
        await bed.apply(stage(a_config()))
        assert bed.exists(CONFIG_MAP, "bear-config")


@virtual
async def test_a_child_that_is_being_deleted_is_waited_for() -> None:
    async with a_bed() as bed:
        held = {"metadata": {"finalizers": ["example.com/held"]}}
        await bed.apply(stage(a_config()))
        await bed.edit(CONFIG_MAP, "bear-config", held)
        await bed.delete(CONFIG_MAP, "bear-config")
        bed.writes()
        done = await bed.apply(stage(a_config()))
        assert bed.writes() == []
        assert done.verdicts["Ready1"].reason == Reason.WAITING


@virtual
async def test_a_child_that_lost_our_label_gets_it_back() -> None:
    async with a_bed() as bed:
        await bed.apply(stage(a_config()))
        await bed.edit(CONFIG_MAP, "bear-config", {"metadata": {"labels": {"app.kubernetes.io/managed-by": None}}})
        assert bed.cluster.get(CONFIG_MAP, "default", "bear-config") is None, "it has left our view"
        done = await bed.apply(stage(a_config()))
        assert done.verdicts["Ready1"].ok
        assert bed.cluster.get(CONFIG_MAP, "default", "bear-config") is not None


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
        with pytest.raises(Conflict, match="Toy default/bear is not what it was"):
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
        await asyncio.sleep(YOUNG_SECONDS)
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
async def test_later_stages_wait_for_earlier_ones() -> None:
    async with a_bed() as bed:
        stages = [Stage("One", [a_config()], not_yet), stage(a_deployment(), name="Two")]
        done = await bed.apply(*stages)
        assert not bed.exists(DEPLOYMENT, "bear-web")
        assert done.verdicts["Two"] == Verdict(False, Reason.WAITING, "Waits for One")


@virtual
async def test_a_stage_waits_only_for_those_it_comes_after() -> None:
    async with a_bed() as bed:
        one, two = Stage("One", [a_config()], not_yet), Stage("Two", [], exist)
        beside = Stage("Beside", [a_deployment()], exist, after=["Two"])
        behind = Stage("Behind", [], exist, once=[a_secret()], after=["Two", "One"])
        done = await bed.apply(one, two, beside, behind)
        assert bed.exists(DEPLOYMENT, "bear-web")
        assert not bed.exists(SECRET, "bear-key")
        assert done.verdicts["Behind"] == Verdict(False, Reason.WAITING, "Waits for One")


@virtual
async def test_what_exists_is_kept_right_while_earlier_stages_are_not_true() -> None:
    async with a_bed() as bed:
        await bed.apply(stage(a_deployment(), name="Two"))
        await bed.edit(DEPLOYMENT, "bear-web", {"spec": {"replicas": 7}})
        await bed.apply(Stage("One", [a_config()], not_yet), stage(a_deployment(), name="Two"))
        assert bed.get(DEPLOYMENT, "bear-web")["spec"]["replicas"] == 1


@virtual
async def test_of_stages_with_one_condition_the_first_that_is_not_true_speaks() -> None:
    async with a_bed() as bed:
        done = await bed.apply(stage(name="One"), Stage("One", [], not_yet), stage(name="One"))
        assert done.verdicts == {"One": Verdict(False, Reason.PROVISIONING, "not yet")}


@virtual
async def test_a_secret_is_made_once_and_never_again() -> None:
    async with a_bed() as bed:
        await bed.apply(stage(once=[a_secret("first")]))
        first = bed.get(SECRET, "bear-key")["data"]
        await bed.apply(stage(once=[a_secret("second")]))
        await bed.edit(SECRET, "bear-key", {"data": {"key": "dGhlaXJz"}})
        await bed.apply(stage(once=[a_secret("third")]))
        assert bed.get(SECRET, "bear-key")["data"] == {"key": "dGhlaXJz"} != first


@virtual
async def test_a_secret_whose_creation_was_not_heard_of_is_not_made_again() -> None:
    async with a_bed() as bed:
        await bed.apply(stage(once=[a_secret("first")]))
        first = bed.get(SECRET, "bear-key")
        bed.cluster.stores[SECRET].bury(Key(NS, "bear-key"), first["metadata"]["uid"], 0)
        await bed.apply(stage(once=[a_secret("second")]))
        assert bed.get(SECRET, "bear-key") == first


@virtual
async def test_a_secret_that_is_kept_right_is_compared_as_it_is_stored() -> None:
    async with a_bed() as bed:
        await bed.apply(stage(a_secret("one")))
        bed.writes()
        item = bed.cluster.stores[SECRET].all()
        assert len(item) == 1
        await bed.edit(SECRET, "bear-key", {"metadata": {"annotations": {"x": "y"}}})
        await bed.apply(stage(a_secret("one")))
        assert bed.writes() == []
        await bed.apply(stage(a_secret("two")))
        assert bed.get(SECRET, "bear-key")["data"] == {"key": "dHdv"}


def _finish(bed: Bed) -> None:
    conditions = [
        {"type": "SuccessCriteriaMet", "status": "True"},
        {"type": "Complete", "status": "True"},
    ]
    status = {"succeeded": 1, "startTime": bed.api.now(), "completionTime": bed.api.now(), "conditions": conditions}
    bed.api.merge(Ref(JOB, NS, "bear-job"), {"status": status}, "kube-controller-manager", "status")


@virtual
async def test_an_unfinished_job_starts_again_when_its_inputs_change() -> None:
    async with a_bed() as bed:
        await bed.apply(stage(once=[a_job("one")]))
        first = bed.get(JOB, "bear-job")["metadata"]["uid"]
        await bed.apply(stage(once=[a_job("one")]))
        assert bed.get(JOB, "bear-job")["metadata"]["uid"] == first
        done = await bed.apply(stage(once=[a_job("two")]))
        assert done.verdicts["Ready1"].reason == Reason.JOB_RUNNING
        await bed.apply(stage(once=[a_job("two")]))
        job = bed.get(JOB, "bear-job")
        assert job["metadata"]["uid"] != first
        assert job["metadata"]["annotations"]["vyogo.tech/inputs"] == "two"


@pytest.mark.parametrize("known", [True, False])
def test_a_job_that_has_succeeded_is_never_touched_even_before_we_know(known: bool) -> None:
    @virtual
    async def run() -> None:
        async with a_bed() as bed:
            await bed.apply(stage(once=[a_job("one")]))
            _finish(bed)
            if known:
                await asyncio.sleep(1)
            before = bed.get(JOB, "bear-job")
            bed.writes()
            await bed.apply(stage(once=[a_job("two")]))
            await bed.apply(stage(once=[a_job("two")]))
            assert bed.writes() == []
            assert bed.get(JOB, "bear-job") == before

    run()


@virtual
async def test_a_job_that_succeeds_while_it_is_to_start_again_stays() -> None:
    async with a_bed() as bed:
        await bed.apply(stage(once=[a_job("one")]))
        bed.before_next("delete", lambda: _finish(bed))
        with pytest.raises(Conflict):
            await bed.apply(stage(once=[a_job("two")]))
        assert bed.get(JOB, "bear-job")["metadata"]["annotations"]["vyogo.tech/inputs"] == "one"


@virtual
async def test_a_child_that_no_stage_names_goes() -> None:
    async with a_bed() as bed:
        await bed.apply(stage(a_config("bear-old"), a_config("bear-new")))
        await bed.apply(stage(a_config("bear-new")))
        assert not bed.exists(CONFIG_MAP, "bear-old")
        assert bed.exists(CONFIG_MAP, "bear-new")


@virtual
async def test_only_kinds_that_may_go_go() -> None:
    async with a_bed() as bed:
        await bed.apply(stage(a_claim("5Gi"), once=[a_secret(), a_job()]))
        await bed.apply(stage())
        assert bed.exists(SECRET, "bear-key")
        assert bed.exists(JOB, "bear-job")
        assert bed.exists(PVC, "bear-files")


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
async def test_a_claim_grows_and_never_shrinks() -> None:
    async with a_bed() as bed:
        await bed.apply(stage(a_claim("5Gi")))
        bed.writes()
        done = await bed.apply(stage(a_claim("4Gi")))
        verdict = done.verdicts["Ready1"]
        assert bed.writes() == []
        assert (verdict.reason, verdict.blocked) == (Reason.REJECTED, True)
        assert "5Gi" in verdict.message
        assert "4Gi" in verdict.message


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


def refuse(bed: Bed, name: str, code: int, reason: str, message: str = "no") -> list[str]:
    """The API server refuses writes of one object; what it refused comes back."""
    refused: list[str] = []

    def admission(verb: str, ref: Any, obj: Manifest) -> None:
        if ref.name == name:
            refused.append(verb)
            raise Refused(code, reason, message)

    bed.api.admission.append(admission)
    return refused


@pytest.mark.parametrize(
    ("code", "word", "reason"),
    [(422, "Invalid", Reason.REJECTED), (403, "Forbidden", Reason.FORBIDDEN), (400, "BadRequest", Reason.REJECTED)],
)
def test_a_refused_child_says_so_and_stops_nothing_else(code: int, word: str, reason: Reason) -> None:
    @virtual
    async def run() -> None:
        async with a_bed() as bed:
            refused = refuse(bed, "bear-config", code, word, "it is too big")
            stages = [stage(a_config(), a_config("bear-other"), name="One"), stage(name="Two")]
            done = await bed.apply(*stages)
            assert done.verdicts["One"] == Verdict(False, reason, "ConfigMap bear-config: it is too big", blocked=True)
            assert bed.exists(CONFIG_MAP, "bear-other")
            await bed.apply(*stages)
            assert refused == ["apply"], "the same thing is not asked again at every turn"
            bed.api.admission.clear()
            done = await bed.apply(stage(a_config(size="2"), a_config("bear-other"), name="One"))
            assert done.verdicts["One"].ok

    run()


@virtual
async def test_what_is_refused_is_asked_again_after_a_while() -> None:
    async with a_bed() as bed:
        refuse(bed, "bear-config", 403, "Forbidden", "exceeded quota")
        await bed.apply(stage(a_config()))
        bed.api.admission.clear()
        assert bed.engine.queues[TOY].delayed == 1
        await asyncio.sleep(61)
        done = await bed.apply(stage(a_config()))
        assert done.verdicts["Ready1"].ok


@virtual
async def test_nothing_of_a_refused_secret_is_told() -> None:
    async with a_bed() as bed:
        refuse(bed, "bear-key", 422, "Invalid", "data[key]: Invalid value: canary")
        done = await bed.apply(stage(once=[a_secret("canary")]))
        assert "canary" not in done.verdicts["Ready1"].message


@virtual
async def test_what_trying_again_may_mend_is_raised_after_everything_else_was_done() -> None:
    async with a_bed() as bed:
        refuse(bed, "bear-config", 500, "InternalError")
        await bed.apply(stage(a_deployment(), name="Two"))
        await bed.edit(DEPLOYMENT, "bear-web", {"spec": {"replicas": 7}})
        with pytest.raises(ApiError):
            await bed.apply(stage(a_config(), a_config("bear-other"), name="One"), stage(a_deployment(), name="Two"))
        assert bed.exists(CONFIG_MAP, "bear-other")
        assert bed.get(DEPLOYMENT, "bear-web")["spec"]["replicas"] == 1


@virtual
async def test_what_could_not_be_written_is_read_again_only_when_it_has_changed() -> None:
    async with a_bed() as bed:
        await bed.apply(stage(a_config(size="1")))
        refuse(bed, "bear-config", 500, "InternalError")
        bed.requests()
        for _ in range(3):
            with pytest.raises(ApiError):
                await bed.apply(stage(a_config(size="2")))
        assert bed.requests() == ["get ConfigMap bear-config", *3 * ["apply ConfigMap bear-config"]]
        bed.api.admission.clear()
        await bed.edit(CONFIG_MAP, "bear-config", {"data": {"size": "2"}})
        bed.requests()
        await bed.apply(stage(a_config(size="2")))
        assert bed.requests() == ["get ConfigMap bear-config"]


@virtual
async def test_a_pass_that_fails_leaves_nothing_to_the_garbage_collector() -> None:
    """Thousands of failing objects would have it stop everything else several times a second."""
    async with a_bed() as bed:
        refuse(bed, "bear-config", 500, "InternalError")

        async def fail(times: int) -> None:
            for _ in range(times):
                with contextlib.suppress(ApiError):
                    await bed.apply(stage(a_config(), a_deployment()))

        await fail(2)
        gc.collect()
        gc.disable()
        try:
            await fail(20)
            # One that is kept is dozens of objects.
            assert gc.collect() < 20
        finally:
            gc.enable()


@virtual
async def test_where_a_policy_insists_on_its_own_value_there_is_no_endless_quarrel() -> None:
    async with a_bed() as bed:

        def insist(verb: str, ref: Any, obj: Manifest) -> None:
            if ref.kind == CONFIG_MAP:
                obj["data"] = {"size": "insisted"}

        bed.api.admission.append(insist)
        await bed.apply(stage(a_config(size="1")))
        bed.writes()
        for _ in range(3):
            await bed.apply(stage(a_config(size="1")))
        assert bed.writes() == []


@virtual
async def test_a_kind_that_nobody_watches_is_a_mistake() -> None:
    async with a_bed() as bed:
        with pytest.raises(ValueError, match="not watched"):
            await bed.apply(stage(child(INGRESS, "bear")))


@virtual
async def test_children_have_their_owner_looked_at_when_they_change() -> None:
    async with a_bed(leading=True) as bed:
        await bed.apply(stage(a_config()))
        await asyncio.sleep(2 * REST_SECONDS)
        bed.looked_at.clear()
        await bed.edit(CONFIG_MAP, "bear-config", {"data": {"size": "2"}})
        assert bed.looked_at == [OWNER]
        await bed.delete(CONFIG_MAP, "bear-config")
        await asyncio.sleep(REST_SECONDS)
        assert bed.looked_at == [OWNER, OWNER]
