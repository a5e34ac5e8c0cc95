"""The way does not matter: whatever a bench and a site were before, in the end they are what their specs say now.

Each example is a way: specs one after the other, some with hardly a moment between, some with the operator dying in
between. Its end equals a world in which the last specs were the first ones. Then the first specs come again, and with
them the world they had made.
"""

import json
import os
import re
from collections.abc import Sequence
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from fakecluster.samples import a_bench, a_site, a_world
from fakecluster.world import World
from frappe_operator.api.kinds import BENCH, SITE
from frappe_operator.kube.kinds import CONFIG_MAP, JOB, PVC, Ref
from frappe_operator.kube.objects import Manifest
from frappe_operator.model.first_apps import FIRST_APPS_LABEL

WAYS = int(os.environ.get("WAYS", "40"))
"""Examples. The same ones each time, and more of them after those when more are asked for."""
QUIET = 100.0
"""Seconds without anything happening after which a world is settled: longer than it waits for the user to act."""


def one(*values: Any) -> st.SearchStrategy[Any]:
    return st.sampled_from(values)


def some(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Manifest]:
    """A part of a spec in which every field may be absent."""
    return st.fixed_dictionaries({}, optional=fields)


AMOUNTS = some(
    requests=one({"cpu": "50m"}, {"cpu": "0.1", "memory": "128Mi"}), limits=one({"memory": "1Gi"}, {"memory": "1.5Gi"})
)
WORKERS = {name: st.integers(0, 2) for name in ("gunicorn", "workerDefault", "workerLong", "workerShort")}
SIZES = dict.fromkeys(("gunicorn", "socketio", "scheduler", "workerDefault", "workerShort"), AMOUNTS)

BENCHES = some(
    frappeVersion=one("v15.51.1"),
    appsJSON=one("[]", '["erpnext", "hrms"]', '[{"name": "hrms"}]'),
    imageConfig=some(
        repository=one("registry.example.com/erp"),
        tag=one("v15.60.0"),
        pullPolicy=one("Always"),
        pullSecrets=one([{"name": "login"}], [{"name": "login"}, {"name": "other"}]),
    ),
    componentReplicas=some(nginx=st.integers(1, 2), socketio=st.integers(0, 2), **WORKERS),
    componentResources=some(nginx=AMOUNTS, redis=AMOUNTS, **SIZES),
    redisConfig=some(image=one("docker.io/valkey/valkey:8"), maxMemory=one("512Mi", "900mb")),
    databaseConfig=some(image=one("docker.io/library/mariadb:11.4"), resources=AMOUNTS),
    domainConfig=some(suffix=one(".platform.example.com")),
    trustedProxies=one(["10.244.0.0/16"], ["10.244.0.0/16", "fd00:10:244::/56"]),
    ingress=some(type=one("None", "Ingress"), className=one("inner")),
)
"""What may change of a bench. Not in here: what Kubernetes never lets change (the class and mode of a claim, the claims
of a StatefulSet), and `storage.size`, which only grows."""

SITES = some(
    apps=one([], ["erpnext"], ["erpnext", "hrms"], ["payments"]),
    domain=one("shop.example.com", "Shop.Example.com.", "other.example.com"),
    aliases=one([], ["www.example.com"], ["www.example.com", "shop.example.com"]),
    componentReplicas=some(socketio=st.integers(0, 2), **WORKERS),
    componentResources=some(**SIZES),
    ingressClassName=one("outer"),
    deletionPolicy=one("Retain", "Delete"),
    dbConfig=one({}, {"mode": "shared"}, {"provider": "mariadb"}),
)
"""The same of a site: not its `siteName`, `benchRef` and database's mode, nor its volume's class, mode and size."""


class Step(NamedTuple):
    """One turn of a way."""

    bench: Manifest
    site: Manifest
    pause: float
    """Seconds until the next turn; 0: until all is settled."""
    dies: bool
    """The operator dies in the middle of it."""
    bigger: bool
    """Both volumes grow."""


STEPS = st.builds(Step, BENCHES, SITES, one(0.0, 0.02, 0.5, 3.0, 20.0), st.booleans(), st.booleans())


class Specs(NamedTuple):
    """What a bench and a site are asked to be."""

    bench: Manifest
    site: Manifest

    @classmethod
    def of(cls, step: Step, grown: int) -> "Specs":
        """The specs of a step after so many growths."""
        bench = {"storage": {"size": f"{10 + grown}Gi"}, **step.bench}
        site = {"storage": {"size": f"{5 + grown}Gi"}, **step.site}
        return cls(a_bench(**bench)["spec"], a_site(**site)["spec"])

    def ask(self, world: World) -> None:
        """Has a world be what they say."""
        for kind, name, spec in ((BENCH, "forge", self.bench), (SITE, "acme", self.site)):
            ref = Ref(kind, "default", name)
            world.api.replace(ref, {**world.api.get(ref).obj, "spec": spec}, "kubectl")


def seen(world: World) -> dict[str, Manifest]:
    """A world without what rightly depends on its past."""
    return {name: past_forgotten(obj) for name, obj in world.comparable_objects().items() if not installs_apps(obj)}


def installs_apps(obj: Manifest) -> bool:
    """Whether it is the Job that installs apps: a site that was created with all of its list has none, and one whose
    list has changed since has one."""
    return bool(obj["kind"] == JOB.kind and obj["metadata"]["name"].startswith("acme-apps-"))


def past_forgotten(obj: Manifest) -> Manifest:
    """The exceptions, all of them."""
    kind, name = obj["kind"], obj["metadata"]["name"]
    if kind == JOB.kind:
        # What is done once is done with the image and the settings of its time.
        ends = [each["type"] for each in obj["status"].get("conditions", []) if each["status"] == "True"]
        return {"kind": kind, "name": name, "ends": ends}
    if kind == PVC.kind:
        # And the record that it was.
        labels = {key: each for key, each in obj["metadata"]["labels"].items() if key != FIRST_APPS_LABEL}
        return {**obj, "metadata": {**obj["metadata"], "labels": labels}}
    if kind == SITE.kind:
        # An app that is named no more stays installed, and the message of AppsInstalled says so.
        status = {name: each for name, each in obj["status"].items() if name not in ("installedApps", "apps")}
        installed = [each for each in status["conditions"] if each["type"] == "AppsInstalled"]
        silent = [{**each, "message": ""} if each in installed else each for each in status["conditions"]]
        return {**obj, "status": {**status, "conditions": silent}}
    if kind == BENCH.kind:
        # The images before are kept, for sites whose data is still of them.
        return {**obj, "status": {name: each for name, each in obj["status"].items() if name != "earlierImages"}}
    if kind == CONFIG_MAP.kind and name == "forge-image":
        # So are their assets, for those who still have their pages open.
        facts = json.loads(obj["data"]["facts"])
        return {**obj, "data": {"facts": {**facts, "previousKey": ""}}}
    if kind == CONFIG_MAP.kind and name == "forge-nginx":
        newest = re.sub(r"(try_files /\w+/\$asset) /\w+/\$asset", r"\1", obj["data"]["nginx.conf"])
        return {**obj, "data": {**obj["data"], "nginx.conf": newest}}
    return obj


FRESH: dict[str, dict[str, Manifest]] = {}


def fresh(specs: Specs) -> dict[str, Manifest]:
    """The world in which nothing was ever asked for but this."""
    key = json.dumps(specs, sort_keys=True)
    if key not in FRESH:
        world = a_world({**a_bench(), "spec": specs.bench}, {**a_site(), "spec": specs.site})
        world.settle(QUIET)
        FRESH[key] = seen(world)
        world.end()
    return FRESH[key]


def differences(found: Any, wanted: Any, path: str = "") -> list[str]:
    """Where two worlds differ."""
    if isinstance(found, dict) and isinstance(wanted, dict):
        names = sorted({*found, *wanted})
        return [each for n in names for each in differences(found.get(n), wanted.get(n), f"{path}.{n}")]
    return [] if found == wanted else [f"{path}: {found!r}, but fresh: {wanted!r}"]


def can_end(step: Step) -> bool:
    """A way may lead through specs that cannot be had, but does not end there."""
    return "payments" not in step.site.get("apps", [])


def follow(way: Sequence[Step]) -> tuple[World, int]:
    """A world at the end of a way, and how often its volumes have grown."""
    grown = 0
    first = Specs.of(way[0], grown)
    world = a_world({**a_bench(), "spec": first.bench}, {**a_site(), "spec": first.site})
    for number, step in enumerate(way):
        if number:
            grown += step.bigger
            Specs.of(step, grown).ask(world)
        if step.dies:
            world.run(step.pause / 2)
            world.crash()
        if step.pause:
            world.run(step.pause / 2)
        else:
            world.settle(QUIET)
    world.settle(QUIET)
    return world, grown


# A way that fails is told as it was found: to make it shorter takes longer than to read it.
@settings(
    max_examples=WAYS,
    derandomize=True,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@given(st.lists(STEPS, min_size=2, max_size=4).filter(lambda way: can_end(way[0]) and can_end(way[-1])))
def test_only_the_last_specs_count_and_going_back_restores(way: list[Step]) -> None:
    world, grown = follow(way)
    assert differences(seen(world), fresh(Specs.of(way[-1], grown))) == []
    back = Specs.of(way[0], grown)
    back.ask(world)
    world.settle(QUIET)
    assert differences(seen(world), fresh(back)) == []
    world.end()


def test_what_is_left_of_an_earlier_spec_would_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    secrets = {"imageConfig": {"pullSecrets": [{"name": "login"}]}}
    way = [Step(secrets, {}, 0.0, False, False), Step({}, {}, 0.0, False, False)]
    monkeypatch.setattr("frappe_operator.runtime.apply.children.stale_field", lambda desired, live: "")
    world, _ = follow(way)
    found = differences(seen(world), fresh(Specs.of(way[-1], 0)))
    assert {each.split(":")[0].rsplit(".", 1)[1] for each in found} == {"imagePullSecrets"}
