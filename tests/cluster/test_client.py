"""The client, informers and children, against the real API server."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from frappe_operator.kube.kinds import CONFIG_MAP, DEPLOYMENT, JOB, NAMESPACE, SECRET, Kind
from frappe_operator.kube.live import Live, Replicas, Workload
from frappe_operator.kube.objects import Key, Manifest
from frappe_operator.kube.quantities import canonical
from frappe_operator.runtime.apply.children import ABSENT
from frappe_operator.runtime.cache.decoding import Decoder
from frappe_operator.runtime.cache.informer import Informer
from frappe_operator.runtime.cache.store import Change, Store
from frappe_operator.runtime.client.client import Client, decoded, selectors
from frappe_operator.runtime.client.errors import AlreadyExists, Conflict, Invalid, NotFound
from frappe_operator.runtime.client.http import HttpTransport
from frappe_operator.runtime.client.kubeconfig import find
from frappe_operator.runtime.drift import difference, fingerprint, stale_field
from sandbox.cluster import Cluster
from tests import definitions
from tests.golden.cases import CASES
from tests.runtime.environment import a_deployment
from tests.runtime.test_fingerprint import number, repaired

pytestmark = [pytest.mark.cluster]


class Place:
    """A client, and a namespace of this test's own."""

    def __init__(self, client: Client, namespace: str) -> None:
        self.client = client
        self.namespace = namespace

    def config(self, name: str = "one", **metadata: Any) -> Manifest:
        data = metadata.pop("data", {"a": "1"})
        meta = {"namespace": self.namespace, "name": name, **metadata}
        return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": data}

    async def read(self, kind: Kind, name: str) -> Manifest:
        return decoded(await self.client.get(kind, self.namespace, name))

    def moved(self, manifest: Manifest) -> Manifest:
        return {**manifest, "metadata": {**manifest["metadata"], "namespace": self.namespace}}


@pytest.fixture(scope="session")
def defined(control_plane: Cluster) -> Cluster:
    definitions.install(control_plane, gateway_api=True)
    return control_plane


@pytest.fixture
async def place(defined: Cluster) -> AsyncIterator[Place]:
    async with HttpTransport(find(str(defined.kubeconfig))) as transport:
        client = Client(transport, strict=True)
        name = f"client-{uuid.uuid4().hex[:8]}"
        namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
        uid = decoded(await client.create(namespace))["metadata"]["uid"]
        yield Place(client, name)
        await client.delete(NAMESPACE, "", name, uid)


async def test_what_may_only_be_made_is_made_once(place: Place) -> None:
    manifest = place.config(**ABSENT)
    await place.client.apply(manifest)
    with pytest.raises(Conflict):
        await place.client.apply({**manifest, "data": {"a": "2"}})
    assert (await place.read(CONFIG_MAP, "one"))["data"] == {"a": "1"}


async def test_what_is_made_once_is_not_made_again(place: Place) -> None:
    await place.client.create(place.config())
    with pytest.raises(AlreadyExists):
        await place.client.create(place.config(data={"a": "2"}))


async def test_an_apply_takes_back_what_it_does_not_name_any_more(place: Place) -> None:
    await place.client.apply(place.config(data={"a": "1", "b": "2"}))
    await place.client.patch(CONFIG_MAP, place.namespace, "one", {"metadata": {"labels": {"theirs": "x"}}})
    live = await place.read(CONFIG_MAP, "one")
    assert stale_field(place.config(), live) == "data.b"
    await place.client.apply(place.config())
    live = await place.read(CONFIG_MAP, "one")
    assert live["data"] == {"a": "1"}
    assert live["metadata"]["labels"] == {"theirs": "x"}
    assert stale_field(place.config(), live) == ""


async def test_an_apply_that_changes_nothing_is_no_new_version(place: Place) -> None:
    first = decoded(await place.client.apply(place.config()))
    second = decoded(await place.client.apply(place.config()))
    assert first["metadata"]["resourceVersion"] == second["metadata"]["resourceVersion"]


@pytest.mark.parametrize("guard", [{"uid": "another"}, {"resourceVersion": "1"}])
async def test_a_write_meant_for_another_object_is_a_conflict(place: Place, guard: Manifest) -> None:
    made = decoded(await place.client.apply(place.config()))
    with pytest.raises(Conflict):
        await place.client.apply(place.config(data={"a": "2"}, **guard))
    with pytest.raises(Conflict):
        await place.client.patch(CONFIG_MAP, place.namespace, "one", {"metadata": guard, "data": {"a": "2"}})
    with pytest.raises(Conflict):
        await place.client.delete(CONFIG_MAP, place.namespace, "one", "another")
    with pytest.raises(Conflict):
        await place.client.delete(CONFIG_MAP, place.namespace, "one", made["metadata"]["uid"], version="1")
    assert (await place.read(CONFIG_MAP, "one"))["data"] == {"a": "1"}


async def test_an_apply_to_an_object_that_is_gone_makes_no_new_one(place: Place) -> None:
    made = decoded(await place.client.apply(place.config()))
    uid = made["metadata"]["uid"]
    await place.client.delete(CONFIG_MAP, place.namespace, "one", uid)
    with pytest.raises(Conflict):
        await place.client.apply(place.config(uid=uid))
    with pytest.raises(NotFound):
        await place.client.get(CONFIG_MAP, place.namespace, "one")


async def test_unknown_fields_are_refused_when_strict(place: Place) -> None:
    bad = {**place.config(), "dota": {}}
    with pytest.raises(Exception, match="dota"):
        await place.client.apply(bad)


async def test_a_broken_rule_is_said(place: Place) -> None:
    with pytest.raises(Invalid, match="name"):
        await place.client.create(place.config(name="Not_A_Name"))


async def test_lists_come_in_pages_and_are_complete(place: Place) -> None:
    names = {f"c{number:04}" for number in range(520)}
    for batch in range(0, 520, 40):
        chunk = sorted(names)[batch : batch + 40]
        await asyncio.gather(*(place.client.create(place.config(name, labels={"ours": "x"})) for name in chunk))
    pages = [page async for page in place.client.pages(CONFIG_MAP, place.namespace, selectors("ours=x"))]
    assert [len(page.items) for page in pages] == [500, 20]
    assert {decoded(bytes(raw))["metadata"]["name"] for page in pages for raw in page.items} == names


async def test_of_a_secret_only_the_metadata_is_asked_for(place: Place) -> None:
    secret = {**place.config("key"), "kind": "Secret", "data": {"a": "Y2FuYXJ5"}}
    await place.client.create(secret)
    assert b"Y2FuYXJ5" not in await place.client.get(SECRET, place.namespace, "key", metadata_only=True)
    pages = [page async for page in place.client.pages(SECRET, place.namespace, metadata_only=True)]
    assert all(b"Y2FuYXJ5" not in bytes(raw) for page in pages for raw in page.items)


async def test_a_deployment_as_the_server_completes_it_is_what_was_wanted(place: Place) -> None:
    wanted = place.moved(
        a_deployment(
            container={
                "ports": [{"containerPort": 80}],
                "env": [{"name": "A", "value": "1000m"}],
                "livenessProbe": {"httpGet": {"port": 80, "path": "/"}},
                "volumeMounts": [{"name": "v", "mountPath": "/v"}],
            },
            pod={"volumes": [{"name": "v", "emptyDir": {"sizeLimit": "0.5Gi"}}], "tolerations": []},
        )
    )
    await place.client.apply(wanted)
    live = await place.read(DEPLOYMENT, "bear-web")
    assert difference(wanted, live) == ""
    assert stale_field(wanted, live) == ""
    live["spec"]["template"]["spec"]["containers"][0]["image"] = "other"
    assert difference(wanted, live) == "spec.template.spec.containers.[main].image"


async def test_a_job_as_the_server_completes_it_is_what_was_wanted(place: Place) -> None:
    pod = {"restartPolicy": "Never", "containers": [{"name": "main", "image": "x", "command": ["true"]}]}
    wanted = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"namespace": place.namespace, "name": "job"},
        "spec": {"backoffLimit": 3, "template": {"spec": pod}},
    }
    await place.client.apply(wanted)
    live = await place.read(JOB, "job")
    assert (difference(wanted, live), stale_field(wanted, live)) == ("", "")


class Watching:
    """An informer of one namespace, and what it told."""

    def __init__(self, place: Place, kind: Kind, projection: type[Live], **more: Any) -> None:
        self.store = Store(kind)
        self.told: asyncio.Queue[Change] = asyncio.Queue()
        decoder = Decoder(projection, metadata_only=more.get("metadata_only", False))
        changed = self.told.put_nowait
        self.informer = Informer(place.client, self.store, decoder, changed, namespace=place.namespace, **more)

    async def __aenter__(self) -> "Watching":
        self.task = asyncio.create_task(self.informer.run())
        await asyncio.wait_for(self.informer.synced.wait(), 20)
        return self

    async def __aexit__(self, *_: object) -> None:
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)

    async def next(self) -> Change:
        return await asyncio.wait_for(self.told.get(), 20)

    async def until(self, so: Callable[[Replicas], bool]) -> None:
        """Until a workload's status is told that is so."""
        workload = (await self.next()).new
        while not (isinstance(workload, Workload) and so(workload.status)):
            workload = (await self.next()).new


async def test_every_child_we_make_is_known_to_be_right_from_the_answer(place: Place) -> None:
    """No default and no spelling of the server's is in what is ours: nothing has to be read after a restart."""
    unequal = []
    # Rendering has an event loop of its own.
    manifests = await asyncio.to_thread(lambda: [each for case in CASES for each in repaired(case)])
    for count, manifest in enumerate(manifests):
        moved = place.moved(manifest)
        # Cases share their names.
        moved["metadata"]["name"] = f"child-{count}"
        if number(decoded(await place.client.apply(moved))) != fingerprint(moved):
            unequal.append(f"{manifest['kind']} {manifest['metadata']['name']}")
    assert unequal == []


@pytest.mark.parametrize(
    "amount", ["2", "0.5", "1000m", "1500", "2000", "1536000000", "1024Mi", "1.5Gi", "0.5Ki", "1e3"]
)
async def test_amounts_are_written_as_the_server_writes_them(place: Place, amount: str) -> None:
    manifest = place.moved(a_deployment(container={"resources": {"limits": {"memory": amount}}}))
    live = decoded(await place.client.apply(manifest))
    container = live["spec"]["template"]["spec"]["containers"][0]
    assert container["resources"]["limits"]["memory"] == canonical(amount)


async def test_a_watch_tells_what_exists_what_happens_and_what_goes(place: Place) -> None:
    await place.client.apply(place.config(labels={"ours": "x"}))
    await place.client.apply(place.config("theirs"))
    async with Watching(place, CONFIG_MAP, Live, labels="ours=x", metadata_only=True) as watching:
        assert [live.metadata.name for live in watching.store.all()] == ["one"]
        await watching.next()
        made = decoded(await place.client.apply(place.config(labels={"ours": "x"}, data={"a": "2"})))
        change = await watching.next()
        assert change.old is not None
        assert change.new is not None
        assert change.new.metadata.resource_version == int(made["metadata"]["resourceVersion"])
        await place.client.apply(place.config(labels={}))
        assert (await watching.next()).new is None, "it has left the selection"
        await place.client.apply(place.config(labels={"ours": "x"}))
        assert (await watching.next()).old is None, "and come back"
        await place.client.delete(CONFIG_MAP, place.namespace, "one", made["metadata"]["uid"])
        assert (await watching.next()).new is None
        assert watching.store.get(Key(place.namespace, "one")) is None


async def test_a_deployments_own_status_is_told_and_its_digest_stays(place: Place) -> None:
    key = Key(place.namespace, "bear-web")
    # More than it has: the cluster's controller, which says otherwise at once, may say all else in one go.
    ready = dict.fromkeys(("replicas", "updatedReplicas", "readyReplicas", "availableReplicas"), 5)
    async with Watching(place, DEPLOYMENT, Workload) as watching:
        await place.client.apply(place.moved(a_deployment()))
        await watching.until(lambda status: status.observed_generation == 1)
        before = watching.store.get(key)
        assert before is not None
        digest = before.digest
        await place.client.patch(DEPLOYMENT, place.namespace, "bear-web", {"status": ready}, "status")
        await watching.until(lambda status: status.ready_replicas == 5)
        after = watching.store.get(key)
        assert after is not None
        assert after.digest == digest
