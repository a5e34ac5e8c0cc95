"""What the operator sends becomes the same object in the fake and in the real API server, field by field.

So what a test in the world says about drift and ownership, it says about Kubernetes.
"""

import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from fakecluster.apiserver.requests import ApiRequest
from fakecluster.apiserver.verbs import Api
from fakecluster.comparison import without_volatile
from fakecluster.samples import a_bench, a_site, a_world
from fakecluster.world import settle
from frappe_operator.kube.kinds import PVC, ref_of
from frappe_operator.kube.live import OPERATOR_NAME
from frappe_operator.kube.objects import Manifest
from tests.world.either_server import APPLY, Server, real_server

pytestmark = pytest.mark.cluster
SPACE = "faithful"


@pytest.fixture(scope="module")
def sent() -> list[tuple[str, Manifest]]:
    """Everything that is created or applied for a bench and a site, in order; autoscalers last."""
    autoscaler = {"nginx": {"enabled": True, "minReplicas": 2, "targetMemoryUtilization": 80}}
    site = a_site(componentReplicas={"gunicorn": 2}, aliases=["shop.example.com"])
    world = a_world(a_bench(componentHPA=autoscaler), site)
    settle(world)
    asked = [each for each in world.server.requests if each.verb in ("create", "apply") and _is_child(each)]
    # Last, because a real autoscaler changes the replicas of the Deployment.
    asked.sort(key=lambda each: each.kind.kind == "HorizontalPodAutoscaler")
    return [(each.verb, _without_owner(json.loads(each.body or b""))) for each in asked]


def _is_child(asked: ApiRequest) -> bool:
    # The second owner of a number of replicas has a test of its own: test_apiserver_replicas.py.
    ours = asked.query.get("fieldManager") == OPERATOR_NAME
    return ours and asked.kind.kind not in ("Event", "FrappeBench", "FrappeSite")


def _without_owner(manifest: Manifest) -> Manifest:
    # The owner is not in the real cluster, and its garbage collector would say so.
    dropped = ("ownerReferences", "namespace", "resourceVersion", "uid")
    return {**manifest, "metadata": {k: v for k, v in manifest["metadata"].items() if k not in dropped}}


@pytest.fixture
async def real(request: pytest.FixtureRequest) -> AsyncIterator[Server]:
    async with real_server(request.getfixturevalue("control_plane"), "faithful-") as server:
        yield server


async def test_everything_the_operator_sends_is_stored_the_same(real: Server, sent: list[tuple[str, Manifest]]) -> None:
    assert len({ref_of(manifest).kind for _, manifest in sent}) >= 8
    api = Api()
    api.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SPACE}})
    differences: list[str] = []
    for verb, manifest in sent:
        ref = ref_of(manifest)
        here = {**manifest, "metadata": {**manifest["metadata"], "namespace": SPACE}}
        strict: dict[str, Any] = {"fieldManager": "frappe-operator", "fieldValidation": "Strict"}
        if verb == "apply":
            stored = api.apply(here, "frappe-operator", force=True)[0].obj
            path = ref.kind.path(real.namespace, ref.name)
            code, found = await real.ask("PATCH", path, manifest, APPLY, force="true", **strict)
        else:
            stored = api.create(here, "frappe-operator").obj
            code, found = await real.ask("POST", ref.kind.path(real.namespace), manifest, **strict)
        assert code in (200, 201), (str(ref), found)
        differences += differing(comparable(stored), comparable(found), str(ref))
        differences += differing(owned(stored), owned(found), str(ref))
    assert not differences


async def test_a_changed_child_changes_the_same_way(real: Server, sent: list[tuple[str, Manifest]]) -> None:
    api = Api()
    api.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SPACE}})
    differences: list[str] = []
    for _, manifest in sent:
        ref = ref_of(manifest)
        if ref.kind.kind in ("Job", "Secret", "PersistentVolumeClaim"):
            continue
        here = {**manifest, "metadata": {**manifest["metadata"], "namespace": SPACE}}
        api.apply(here, "frappe-operator", force=True)
        path = ref.kind.path(real.namespace, ref.name)
        await real.ask("PATCH", path, manifest, APPLY, force="true", fieldManager="frappe-operator")
        less = shorter(manifest)
        here = {**less, "metadata": {**less["metadata"], "namespace": SPACE}}
        stored = api.apply(here, "frappe-operator", force=True)[0].obj
        query: dict[str, Any] = {"force": "true", "fieldManager": "frappe-operator"}
        code, found = await real.ask("PATCH", path, less, APPLY, **query)
        assert code == 200, (str(ref), found)
        differences += differing(comparable(stored), comparable(found), str(ref))
        differences += differing(owned(stored), owned(found), str(ref))
    assert not differences


def differing(ours: Any, theirs: Any, path: str = "") -> Iterator[str]:
    """Where two objects differ, and how: ours and theirs."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        for name in sorted(ours.keys() | theirs.keys()):
            yield from differing(ours.get(name, "nothing"), theirs.get(name, "nothing"), f"{path}.{name}")
    elif isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        for number, (one, other) in enumerate(zip(ours, theirs, strict=True)):
            yield from differing(one, other, f"{path}[{number}]")
    elif ours != theirs:
        yield f"{path}: {ours!r} here, {theirs!r} there"


def shorter(manifest: Manifest) -> Manifest:
    """The same object with fewer fields: what an operator sends that has changed its mind."""
    less: Manifest = json.loads(json.dumps(manifest))
    less["metadata"]["labels"].popitem()
    spec = less.get("spec", {})
    spec.pop("strategy", None)
    spec.pop("replicas", None)
    pod = spec.get("template", {}).get("spec", {})
    pod.pop("terminationGracePeriodSeconds", None)
    pod.pop("affinity", None)
    for container in pod.get("containers", []):
        for name in ("livenessProbe", "readinessProbe", "startupProbe", "resources", "env", "ports", "lifecycle"):
            container.pop(name, None)
    if "data" in less:
        less["data"].popitem()
    return less


def comparable(obj: Manifest) -> Manifest:
    """What of an object the writer and the server's defaults decide."""
    without = {name: value for name, value in obj.items() if name != "status"}
    shown: Manifest = without_volatile({**without, "metadata": {**without["metadata"], "namespace": ""}})
    # The real cluster's Deployment controller numbers the templates, some time.
    if not shown["metadata"].get("annotations", {"": ""}):
        del shown["metadata"]["annotations"]
    if obj["kind"] == PVC.kind:
        # Whether there is a default class is the cluster's business.
        shown["spec"].pop("storageClassName", None)
    if obj["kind"] == "Secret":
        shown["data"] = obj.get("data", {})
    return shown


def without_dots(fields: Manifest) -> Manifest:
    """Less the marks of maps and entries themselves, which go and come with what is in them."""
    return {name: without_dots(inner) for name, inner in sorted(fields.items()) if name != "."}


def owned(obj: Manifest) -> dict[str, Manifest]:
    """The fields each way of writing has."""
    return {
        entry["operation"]: without_dots(entry["fieldsV1"])
        for entry in obj["metadata"].get("managedFields", [])
        if entry["manager"] == "frappe-operator" and not entry.get("subresource")
    }
