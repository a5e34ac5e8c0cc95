"""What is whose: nobody else's object is ever touched, and nothing is made for an owner that is gone."""

import asyncio
from typing import Any

import pytest

from frappe_operator.kube.kinds import CONFIG_MAP, DEPLOYMENT, PVC, SECRET, Ref
from frappe_operator.kube.names import RETAINED_LABEL
from frappe_operator.kube.objects import Manifest
from frappe_operator.kube.reasons import Reason
from frappe_operator.runtime.apply.children import apply
from frappe_operator.runtime.client.errors import Conflict
from tests.runtime.environment import (
    NS,
    OWNER,
    TOY,
    Environment,
    a_claim,
    a_config,
    a_deployment,
    a_secret,
    an_environment,
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
def test_an_object_of_another_owner_is_never_touched(metadata: Manifest, once: bool) -> None:
    @virtual
    async def run() -> None:
        async with an_environment() as env:
            wanted = a_secret() if once else a_config(size="1")
            theirs = by_another(a_secret("theirs") if once else a_config(size="theirs"), **metadata)
            await env.create(theirs)
            kind = SECRET if once else CONFIG_MAP
            before = env.get(kind, theirs["metadata"]["name"])
            for _ in range(3):
                done = await env.apply(stage(once=[wanted]) if once else stage(wanted))
            verdict = done.verdicts["Ready1"]
            assert (verdict.reason, verdict.blocked) == (Reason.NAME_CONFLICT, True)
            assert theirs["metadata"]["name"] in verdict.message
            assert env.get(kind, theirs["metadata"]["name"]) == before
            await env.delete(kind, theirs["metadata"]["name"])
            done = await env.apply(stage(once=[wanted]) if once else stage(wanted))
            assert done.verdicts["Ready1"].ok

    run()


@virtual
async def test_a_conflict_in_one_stage_does_not_stop_what_exists_of_others() -> None:
    async with an_environment() as env:
        await env.apply(stage(a_deployment(), name="Two"))
        await env.create(by_another(a_config(), labels={}))
        await env.edit(DEPLOYMENT, "bear-web", {"spec": {"replicas": 7}})
        done = await env.apply(stage(a_config(), name="One"), stage(a_deployment(), name="Two"))
        assert env.get(DEPLOYMENT, "bear-web")["spec"]["replicas"] == 1
        assert not done.verdicts["One"].ok
        assert done.verdicts["Two"].ok


@virtual
async def test_a_name_that_was_taken_is_not_tried_by_writing_again() -> None:
    async with an_environment() as env:
        await env.create(by_another(a_config(), labels={}))
        await env.apply(stage(a_config()))
        env.writes()
        for _ in range(5):
            await env.apply(stage(a_config()))
        assert env.writes() == []


@virtual
async def test_another_object_of_the_same_name_is_not_written_by_mistake() -> None:
    """The watch has not told yet that the child was deleted and somebody made another."""
    async with an_environment() as env:
        await env.apply(stage(a_config()))
        stale = env.owner
        env.api.delete(Ref(CONFIG_MAP, NS, "bear-config"))
        env.api.create(by_another(a_config(size="theirs"), labels={}), "kubectl")
        with pytest.raises(Conflict):
            await apply(env.cluster, TOY, stale, [stage(a_config(size="2"))])
        assert env.get(CONFIG_MAP, "bear-config")["data"] == {"size": "theirs"}


def taken_over(env: Environment, name: str = "bear-config") -> None:
    """A child goes, and somebody makes another object of its name."""
    env.api.delete(Ref(CONFIG_MAP, NS, name))
    env.api.create(by_another(a_config(name, size="theirs"), labels={}), "kubectl")


@virtual
async def test_an_object_that_takes_the_name_meanwhile_is_not_overwritten() -> None:
    async with an_environment() as env:
        await env.apply(stage(a_config()))
        env.before_next("apply", lambda: taken_over(env))
        with pytest.raises(Conflict):
            await env.apply(stage(a_config(size="2")))
        assert env.get(CONFIG_MAP, "bear-config")["data"] == {"size": "theirs"}


@virtual
async def test_children_of_an_earlier_owner_of_the_same_name_are_not_its_own() -> None:
    """They wait for the garbage collector, which knows owners by their UID."""
    async with an_environment() as env:
        earlier = {"apiVersion": TOY.api_version, "kind": "Toy", "name": OWNER.name, "uid": "earlier"}
        await env.create(by_another(a_config(size="theirs"), ownerReferences=[{**earlier, "controller": True}]))
        env.writes()
        done = await env.apply(stage(a_config()))
        assert env.writes() == []
        assert done.verdicts["Ready1"].reason == Reason.NAME_CONFLICT


@virtual
async def test_a_new_process_creates_nothing_for_a_deleted_owner() -> None:
    async with an_environment(leading=True) as env:
        env.before_next("get", lambda: env.api.delete(Ref(TOY, *OWNER)))
        with pytest.raises(Conflict, match="Toy default/bear has changed or does not exist any more"):
            await env.apply(stage(a_config(), a_deployment()), stage(once=[a_secret()]))
        assert env.writes() == []


@virtual
async def test_a_new_process_creates_children_for_an_owner_that_is_being_deleted() -> None:
    async with an_environment(leading=True) as env:
        await env.edit(TOY, "bear", {"metadata": {"finalizers": ["toys.example.com/keep"]}})
        await env.delete(TOY, "bear")
        assert env.owner.deleting
        await env.apply(stage(a_config()))
        assert env.writes() == ["apply ConfigMap bear-config"]


@virtual
async def test_an_owner_is_confirmed_once() -> None:
    async with an_environment(leading=True) as env:
        await env.apply(stage(a_config(), a_deployment()), stage(once=[a_secret()]))
        assert env.requests().count("get Toy bear") == 1
        await env.apply(stage(a_config(), a_deployment()), stage(once=[a_secret()]))
        assert env.requests() == []
        late = child(CONFIG_MAP, "bear-late")
        await env.apply(stage(a_config(), a_deployment(), late), stage(once=[a_secret()]))
        assert env.requests() == ["apply ConfigMap bear-late"]


@virtual
async def test_nothing_is_created_for_a_spec_that_has_changed_meanwhile() -> None:
    """The process before has acted on the new spec already."""
    async with an_environment(leading=True) as env:
        stale = env.owner
        env.api.merge(Ref(TOY, NS, "bear"), {"spec": {"size": 2}}, "kubectl")
        with pytest.raises(Conflict):
            await apply(env.cluster, TOY, stale, [stage(a_config())])
        assert not env.exists(CONFIG_MAP, "bear-config")
        await env.apply(stage(a_config()))
        assert env.exists(CONFIG_MAP, "bear-config")


@virtual
async def test_an_owner_created_after_the_process_need_not_be_confirmed() -> None:
    async with an_environment(leading=True) as env:
        await asyncio.sleep(2)
        await env.delete(TOY, "bear")
        await env.create({"apiVersion": TOY.api_version, "kind": "Toy", "metadata": {"name": "bear", "namespace": NS}})
        env.requests()
        await env.apply(stage(a_config()))
        assert env.requests() == ["apply ConfigMap bear-config"]


@virtual
async def test_a_child_that_was_given_to_another_is_not_deleted() -> None:
    """Our view is behind: the fresh look tells that it is not ours any more."""
    async with an_environment() as env:
        await env.apply(stage(a_config()))
        other = [{"apiVersion": "v1", "kind": "Pod", "name": "x", "uid": "u", "controller": True}]
        env.api.merge(Ref(CONFIG_MAP, NS, "bear-config"), {"metadata": {"ownerReferences": other}}, "kubectl")
        env.writes()
        await apply(env.cluster, TOY, env.owner, [], prune=(CONFIG_MAP,))
        assert env.writes() == []
        assert env.exists(CONFIG_MAP, "bear-config")


@virtual
async def test_a_delete_does_not_hit_a_new_object_of_the_same_name() -> None:
    """It is made after the fresh look, and before the delete arrives."""
    async with an_environment() as env:
        await env.apply(stage(a_config()))
        env.before_next("delete", lambda: taken_over(env))
        with pytest.raises(Conflict):
            await env.apply(stage())
        assert env.get(CONFIG_MAP, "bear-config")["data"] == {"size": "theirs"}


def a_retained_claim() -> Manifest:
    claim = a_claim("5Gi")
    claim["metadata"]["labels"] |= {RETAINED_LABEL: "true"}
    return claim


@virtual
async def test_a_retained_child_has_no_owner_and_is_found_by_its_labels() -> None:
    async with an_environment() as env:
        kept = a_retained_claim()
        await env.apply(stage(kept))
        uid = env.get(PVC, "bear-files")["metadata"]["uid"]
        assert "ownerReferences" not in env.get(PVC, "bear-files")["metadata"]
        env.writes()
        done = await env.apply(stage(kept))
        assert (env.writes(), done.verdicts["Ready1"].ok) == ([], True)
        assert env.get(PVC, "bear-files")["metadata"]["uid"] == uid


@virtual
async def test_a_retained_child_is_not_taken_from_another_owner() -> None:
    async with an_environment() as env:
        labels = {"app.kubernetes.io/managed-by": "frappe-operator", "app.kubernetes.io/instance": "wolf"}
        kept = a_retained_claim()
        await env.create(by_another(a_claim("5Gi"), labels=labels))
        done = await env.apply(stage(kept))
        assert done.verdicts["Ready1"].reason == Reason.NAME_CONFLICT


@virtual
async def test_an_uncached_retained_object_is_not_overwritten() -> None:
    """Its labels may say what was just decided without them: the next reconcile, which has seen them, decides anew."""
    async with an_environment() as env:
        labels = {"app.kubernetes.io/managed-by": "frappe-operator", "app.kubernetes.io/instance": "bear"}
        kept = by_another(a_claim("5Gi"), labels={**labels, "word": "new", RETAINED_LABEL: "true"})
        env.api.create(by_another(a_claim("5Gi"), labels={**labels, "word": "retained"}), "frappe-operator")
        with pytest.raises(Conflict, match="was not cached yet"):
            await apply(env.cluster, TOY, env.owner, [stage(kept)])
        assert env.get(PVC, "bear-files")["metadata"]["labels"]["word"] == "retained"
