"""Children: made, kept right, in order, gone when not wanted."""

import asyncio

import pytest

from frappe_operator.kube.kinds import CONFIG_MAP, DEPLOYMENT, INGRESS, JOB, PVC, SECRET, Ref
from frappe_operator.kube.live import Live
from frappe_operator.kube.objects import Manifest
from frappe_operator.kube.readiness import exist
from frappe_operator.kube.reasons import Reason
from frappe_operator.kube.stage import LiveChildren, Stage, Verdict
from frappe_operator.runtime.queue.queue import MIN_INTERVAL_SECONDS
from tests.runtime.environment import (
    NS,
    OWNER,
    TOY,
    a_claim,
    a_config,
    a_deployment,
    a_job,
    a_secret,
    an_environment,
    child,
    stage,
)
from tests.runtime.virtual_time import virtual


def not_yet(live_children: LiveChildren) -> Verdict:
    return Verdict(False, Reason.PROVISIONING, "not yet")


@virtual
async def test_a_child_whose_kind_is_not_installed_is_reported_and_holds_up_nothing_else() -> None:
    async with an_environment() as env:
        env.cluster.cache.stores[DEPLOYMENT].installed = False
        done = await env.apply(
            stage(a_deployment(), name="Up"), stage(a_config(), name="Configured")._replace(after=())
        )
        verdict = done.verdicts["Up"]
        assert (verdict.ok, verdict.reason, verdict.blocked) == (False, Reason.NOT_INSTALLED, True)
        assert verdict.message.startswith("Deployment (apps/v1) is not installed in this cluster: install ")
        assert done.verdicts["Configured"].ok
        assert env.writes() == ["apply ConfigMap bear-config"]


@virtual
async def test_a_child_is_created_with_its_owner_reference() -> None:
    async with an_environment() as env:
        done = await env.apply(stage(a_config()))
        assert env.writes() == ["apply ConfigMap bear-config"]
        owner = env.get(CONFIG_MAP, "bear-config")["metadata"]["ownerReferences"]
        assert owner == [
            {
                "apiVersion": TOY.api_version,
                "kind": "Toy",
                "name": "bear",
                "uid": env.owner.metadata.uid,
                "controller": True,
                "blockOwnerDeletion": True,
            }
        ]
        assert done.verdicts["Ready1"].ok
        assert [ref.name for ref in done.written] == ["bear-config"]


@virtual
async def test_the_verdict_sees_what_was_just_written() -> None:
    seen: list[Live | None] = []

    def look(live_children: LiveChildren) -> Verdict:
        seen.extend(live_children)
        return Verdict(True, Reason.READY, "")

    async with an_environment() as env:
        await env.apply(Stage("One", [a_deployment()], look, once=[a_secret()]))
    assert [live.metadata.name for live in seen if live] == ["bear-web", "bear-key"]


@virtual
async def test_a_correct_child_costs_no_request() -> None:
    async with an_environment() as env:
        stages = [stage(a_config(), a_deployment(), a_claim("5Gi"), once=[a_secret(), a_job()])]
        await env.apply(*stages)
        assert len(env.writes()) == 5
        env.requests()
        await env.apply(*stages)
        await env.apply(*stages)
        assert env.requests() == []


@virtual
async def test_after_a_restart_every_child_is_compared_once_and_none_written() -> None:
    stages = [stage(a_config(), a_deployment(), a_claim("5Gi"), once=[a_secret(), a_job()])]
    async with an_environment() as env:
        await env.apply(*stages)
    async with an_environment(after=env) as again:
        await again.apply(*stages)
        # Of one only its metadata is watched; of the other the server has its own way to write the amounts.
        assert again.requests() == ["get ConfigMap bear-config", "get Deployment bear-web"]
        await again.apply(*stages)
        assert again.requests() == []


@virtual
async def test_drift_from_before_the_start_is_repaired() -> None:
    async with an_environment() as env:
        await env.apply(stage(a_deployment(paused=True)))
    patch = {"spec": {"replicas": 7, "template": {"spec": {"nodeSelector": {"a": "b"}}}}}
    env.api.merge(Ref(DEPLOYMENT, NS, "bear-web"), patch, "kubectl")
    async with an_environment(after=env) as again:
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
def test_drift_of_an_edited_child_is_repaired(patch: Manifest) -> None:
    @virtual
    async def run() -> None:
        async with an_environment() as env:
            await env.apply(stage(a_config()))
            before = env.get(CONFIG_MAP, "bear-config")
            env.writes()
            await env.edit(CONFIG_MAP, "bear-config", patch)
            await env.apply(stage(a_config()))
            assert env.writes() == ["apply ConfigMap bear-config"]
            after = env.get(CONFIG_MAP, "bear-config")
            assert after["data"] == before["data"]
            assert after["metadata"]["labels"] == before["metadata"]["labels"]

    run()


@virtual
async def test_what_others_add_is_theirs() -> None:
    async with an_environment() as env:
        await env.apply(stage(a_config(), a_deployment()))
        env.writes()
        await env.edit(CONFIG_MAP, "bear-config", {"data": {"theirs": "x"}, "metadata": {"annotations": {"a": "b"}}})
        await env.edit(DEPLOYMENT, "bear-web", {"spec": {"template": {"spec": {"nodeSelector": {"a": "b"}}}}})
        await env.apply(stage(a_config(), a_deployment()))
        assert env.writes() == []
        assert env.get(CONFIG_MAP, "bear-config")["data"]["theirs"] == "x"


@virtual
async def test_a_field_we_set_before_and_do_not_want_any_more_goes_even_after_a_restart() -> None:
    async with an_environment() as env:
        await env.apply(stage(a_config(size="1", colour="red")))
        await env.apply(stage(a_config(size="1")))
        assert env.get(CONFIG_MAP, "bear-config")["data"] == {"size": "1"}


@virtual
async def test_a_changed_wish_reaches_the_child() -> None:
    async with an_environment() as env:
        await env.apply(stage(a_deployment()))
        await env.apply(stage(a_deployment(replicas=3, container={"image": "y"})))
        spec = env.get(DEPLOYMENT, "bear-web")["spec"]
        assert (spec["replicas"], spec["template"]["spec"]["containers"][0]["image"]) == (3, "y")


@virtual
async def test_a_deleted_child_comes_back() -> None:
    async with an_environment() as env:
        await env.apply(stage(a_config()))
        await env.delete(CONFIG_MAP, "bear-config")
        await env.apply(stage(a_config()))
        assert env.exists(CONFIG_MAP, "bear-config")


@virtual
async def test_a_child_that_is_being_deleted_is_recreated_afterwards() -> None:
    async with an_environment() as env:
        held = {"metadata": {"finalizers": ["example.com/held"]}}
        await env.apply(stage(a_config()))
        await env.edit(CONFIG_MAP, "bear-config", held)
        await env.delete(CONFIG_MAP, "bear-config")
        env.writes()
        done = await env.apply(stage(a_config()))
        assert env.writes() == []
        assert done.verdicts["Ready1"].reason == Reason.WAITING


@virtual
async def test_a_child_that_lost_the_operators_label_gets_it_back() -> None:
    async with an_environment() as env:
        await env.apply(stage(a_config()))
        await env.edit(CONFIG_MAP, "bear-config", {"metadata": {"labels": {"app.kubernetes.io/managed-by": None}}})
        assert env.cluster.get(CONFIG_MAP, "default", "bear-config") is None, "it has left our view"
        done = await env.apply(stage(a_config()))
        assert done.verdicts["Ready1"].ok
        assert env.cluster.get(CONFIG_MAP, "default", "bear-config") is not None


@virtual
async def test_later_stages_wait_for_earlier_ones() -> None:
    async with an_environment() as env:
        stages = [Stage("One", [a_config()], not_yet), stage(a_deployment(), name="Two")]
        done = await env.apply(*stages)
        assert not env.exists(DEPLOYMENT, "bear-web")
        assert done.verdicts["Two"] == Verdict(False, Reason.WAITING, "Waiting for One")


@virtual
async def test_a_stage_waits_only_for_the_stages_in_its_after() -> None:
    async with an_environment() as env:
        one, two = Stage("One", [a_config()], not_yet), Stage("Two", [], exist)
        beside = Stage("Beside", [a_deployment()], exist, after=["Two"])
        behind = Stage("Behind", [], exist, once=[a_secret()], after=["Two", "One"])
        done = await env.apply(one, two, beside, behind)
        assert env.exists(DEPLOYMENT, "bear-web")
        assert not env.exists(SECRET, "bear-key")
        assert done.verdicts["Behind"] == Verdict(False, Reason.WAITING, "Waiting for One")


@virtual
async def test_a_stage_that_has_begun_is_kept_correct_while_earlier_stages_are_not_true() -> None:
    async with an_environment() as env:
        two = Stage("Two", [a_deployment(), a_config("bear-more")], exist, once=[a_secret()])
        await env.apply(Stage("Two", [a_config("bear-more")], exist))
        done = await env.apply(Stage("One", [a_config()], not_yet), two)
        assert env.exists(DEPLOYMENT, "bear-web")
        assert not env.exists(SECRET, "bear-key"), "what is made once is not a part that got lost"
        assert done.verdicts["Two"] == Verdict(False, Reason.WAITING, "Waiting for One")


@virtual
async def test_what_is_anothers_is_no_beginning() -> None:
    async with an_environment() as env:
        await env.create(a_config("bear-more"))
        await env.apply(
            Stage("One", [a_config()], not_yet), Stage("Two", [a_deployment(), a_config("bear-more")], exist)
        )
        assert not env.exists(DEPLOYMENT, "bear-web")


@virtual
async def test_existing_children_are_kept_correct_while_earlier_stages_are_not_true() -> None:
    async with an_environment() as env:
        await env.apply(stage(a_deployment(), name="Two"))
        await env.edit(DEPLOYMENT, "bear-web", {"spec": {"replicas": 7}})
        await env.apply(Stage("One", [a_config()], not_yet), stage(a_deployment(), name="Two"))
        assert env.get(DEPLOYMENT, "bear-web")["spec"]["replicas"] == 1


@virtual
async def test_of_stages_with_one_condition_the_first_that_is_not_true_speaks() -> None:
    async with an_environment() as env:
        done = await env.apply(stage(name="One"), Stage("One", [], not_yet), stage(name="One"))
        assert done.verdicts == {"One": Verdict(False, Reason.PROVISIONING, "not yet")}


@virtual
async def test_a_child_that_no_stage_names_goes() -> None:
    async with an_environment() as env:
        await env.apply(stage(a_config("bear-old"), a_config("bear-new")))
        await env.apply(stage(a_config("bear-new")))
        assert not env.exists(CONFIG_MAP, "bear-old")
        assert env.exists(CONFIG_MAP, "bear-new")


@virtual
async def test_only_kinds_that_may_go_go() -> None:
    async with an_environment() as env:
        await env.apply(stage(a_claim("5Gi"), once=[a_secret(), a_job()]))
        await env.apply(stage())
        assert env.exists(SECRET, "bear-key")
        assert env.exists(JOB, "bear-job")
        assert env.exists(PVC, "bear-files")


@virtual
async def test_a_claim_grows_and_never_shrinks() -> None:
    async with an_environment() as env:
        await env.apply(stage(a_claim("5Gi")))
        env.writes()
        done = await env.apply(stage(a_claim("4Gi")))
        verdict = done.verdicts["Ready1"]
        assert env.writes() == []
        assert (verdict.reason, verdict.blocked) == (Reason.REJECTED, True)
        assert "5Gi" in verdict.message
        assert "4Gi" in verdict.message


@virtual
async def test_a_child_of_an_unwatched_kind_is_an_error() -> None:
    async with an_environment() as env:
        with pytest.raises(ValueError, match="not watched"):
            await env.apply(stage(child(INGRESS, "bear")))


@virtual
async def test_a_change_of_a_child_enqueues_its_owner() -> None:
    async with an_environment(leading=True) as env:
        await env.apply(stage(a_config()))
        await asyncio.sleep(2 * MIN_INTERVAL_SECONDS)
        env.reconciled.clear()
        await env.edit(CONFIG_MAP, "bear-config", {"data": {"size": "2"}})
        assert env.reconciled == [OWNER]
        await env.delete(CONFIG_MAP, "bear-config")
        await asyncio.sleep(MIN_INTERVAL_SECONDS)
        assert env.reconciled == [OWNER, OWNER]
