"""Drift is repaired whatever else is wrong: a deleted, edited or scaled child of a running bench or
site heals under every failed check and beside every server that is down."""

import base64
from collections.abc import Callable
from typing import NamedTuple

import pytest

from fakecluster.controllers.kubelet import image_digest
from fakecluster.samples import CONNECTION, EXTERNAL, a_bench, a_site, a_world
from fakecluster.world import World, settle
from frappe_operator.api.kinds import BENCH, SITE
from frappe_operator.bench import checks as bench_checks
from frappe_operator.kube.kinds import (
    CONFIG_MAP,
    DEPLOYMENT,
    HPA,
    INGRESS,
    JOB,
    PVC,
    SECRET,
    SERVICE,
    STATEFUL_SET,
    Kind,
    Ref,
)
from frappe_operator.kube.objects import Manifest
from frappe_operator.model.database import database_name
from frappe_operator.site import checks as site_checks

Act = Callable[[World], None]
MENDED = (CONFIG_MAP, DEPLOYMENT, INGRESS, SERVICE, STATEFUL_SET)
"""Kinds that can be made again. The others hold data, or are the proof that something was done."""


class Trouble(NamedTuple):
    """Something goes wrong with what runs, and is put right again."""

    name: str
    check: object
    """The check that fails, None when a server is down."""
    acts: tuple[Act, Act]
    """What begins it, and what ends it."""
    kind: Kind
    condition: str
    reason: str
    words: str


def spec(kind: Kind, name: str, during: Manifest, after: Manifest) -> tuple[Act, Act]:
    """An edit, and the one that takes it back."""
    return (
        lambda world: world.edit(kind, name, {"spec": during}),
        lambda world: world.edit(kind, name, {"spec": after}),
    )


def pods(*patterns: str) -> tuple[Act, Act]:
    """Pods that stop being ready."""

    def broken(world: World, found: set[str]) -> None:
        world.kubelet.broken = found
        world.changed()

    return (lambda world: broken(world, set(patterns)), lambda world: broken(world, set()))


def secret_lost(world: World) -> None:
    world.delete(SECRET, "ledger")


def secret_made(world: World) -> None:
    world.add(CONNECTION)


def ledger(**data: str) -> tuple[Act, Act]:
    """Other values in the connection Secret."""

    def edit(world: World, data: dict[str, str]) -> None:
        encoded = {key: base64.b64encode(value.encode()).decode() for key, value in data.items()}
        world.edit(SECRET, "ledger", {"data": encoded})

    old = {key: CONNECTION["stringData"][key] for key in data}
    return (lambda world: edit(world, data), lambda world: edit(world, old))


def label(value: str) -> Act:
    return lambda world: world.edit(
        SECRET, "bolt-db-connection", {"metadata": {"labels": {"vyogo.tech/database": value}}}
    )


def label_back(world: World) -> None:
    uid = world.get_existing(Ref(SITE, "default", "bolt"))["metadata"]["uid"]
    label(database_name("default", "bolt", uid).strip("_"))(world)


def earlier_image(world: World) -> None:
    image = {"repository": "registry.example.com/erp", "tag": "earlier"}
    earlier = {**world.frappe.versions, "frappe": "15.1.0"}
    world.frappe.releases[image_digest("registry.example.com/erp:earlier")] = earlier
    world.edit(BENCH, "forge", {"spec": {"imageConfig": image}})


def minimum_above_the_maximum(world: World) -> None:
    world.edit(BENCH, "forge", {"spec": {"componentHPA": {"gunicorn": {"maxReplicas": 2}}}})
    world.edit(SITE, "acme", {"spec": {"componentHPA": {"gunicorn": {"enabled": True, "minReplicas": 3}}}})


def without_autoscalers(world: World) -> None:
    world.edit(SITE, "acme", {"spec": {"componentHPA": None}})
    world.edit(BENCH, "forge", {"spec": {"componentHPA": None}})


def two_passwords_of_redis(world: World) -> None:
    world.edit(SECRET, "forge-redis", {"stringData": {"password": "chosen-canary"}})


def one_password_of_redis(world: World) -> None:
    world.edit(SECRET, "forge-redis", {"stringData": {"redis.conf": "requirepass chosen-canary\n"}})


OF_ANOTHER = database_name("elsewhere", "bolt", "some-uid")
SNIPPET = {"nginx.ingress.kubernetes.io/server-snippet": "return 200;"}
ABOVE = {"requests": {"memory": "2Gi"}, "limits": {"memory": "1Gi"}}
NOWHERE = {"start": "22:00", "end": "04:00", "timeZone": "Mars/Olympus"}

TROUBLES = [
    Trouble(
        "apps that are not JSON",
        bench_checks.apps_are_readable,
        spec(BENCH, "forge", {"appsJSON": "[erpnext]"}, {"appsJSON": '["erpnext"]'}),
        BENCH,
        "ImageReady",
        "InvalidSpec",
        "appsJSON is not JSON",
    ),
    Trouble(
        "apps of the bench, as a site hears of them",
        site_checks.apps_are_readable,
        spec(BENCH, "forge", {"appsJSON": "{}"}, {"appsJSON": '["erpnext"]'}),
        SITE,
        "AppsInstalled",
        "InvalidSpec",
        "FrappeBench forge: appsJSON contains something else than apps",
    ),
    Trouble(
        "an app of the bench that nobody knows",
        bench_checks.apps_can_be_provided,
        spec(BENCH, "forge", {"appsJSON": '["erpnext", "unheard_of"]'}, {"appsJSON": '["erpnext"]'}),
        BENCH,
        "AppsReady",
        "AppUnknown",
        "unheard_of is not in image",
    ),
    Trouble(
        "an app of a private repository without its Secret",
        bench_checks.app_secrets_exist,
        spec(
            BENCH,
            "forge",
            {"appsJSON": None, "apps": [{"name": "erpnext"}, {"name": "crm", "authSecretRef": {"name": "nothing"}}]},
            {"appsJSON": '["erpnext"]', "apps": None},
        ),
        BENCH,
        "AppsReady",
        "SecretNotFound",
        "Secret nothing with the login to the repository of crm",
    ),
    Trouble(
        "an app of a site that the image lacks",
        site_checks.apps_are_in_the_image,
        spec(SITE, "acme", {"apps": ["erpnext", "crm"]}, {"apps": None}),
        SITE,
        "AppsInstalled",
        "AppNotInImage",
        "of FrappeBench forge: remove it from spec.apps",
    ),
    Trouble(
        "a proxy that requests more than its limit",
        bench_checks.proxy_fits,
        spec(BENCH, "forge", {"componentResources": {"nginx": ABOVE}}, {"componentResources": None}),
        BENCH,
        "ProxyReady",
        "InvalidSpec",
        "resources of nginx: the request of 2Gi memory",
    ),
    Trouble(
        "hours of upgrades in a time zone that does not exist",
        bench_checks.window_is_readable,
        spec(BENCH, "forge", {"upgrade": {"window": NOWHERE}}, {"upgrade": None}),
        BENCH,
        "SitesUpgraded",
        "InvalidSpec",
        "Mars/Olympus is not a known time zone",
    ),
    Trouble(
        "a Redis that requests more than its limit",
        bench_checks.redis_fits,
        spec(BENCH, "forge", {"componentResources": {"redis": ABOVE}}, {"componentResources": None}),
        BENCH,
        "CacheReady",
        "InvalidSpec",
        "resources of redis: the request of 2Gi memory",
    ),
    Trouble(
        "a MariaDB that requests more than its limit",
        bench_checks.mariadb_fits,
        spec(BENCH, "forge", {"databaseConfig": {"resources": ABOVE}}, {"databaseConfig": None}),
        BENCH,
        "DatabaseReady",
        "InvalidSpec",
        "resources of mariadb: the request of 2Gi memory",
    ),
    Trouble(
        "a MariaDB of a site that requests more than its limit",
        site_checks.server_fits,
        spec(SITE, "acme", {"dbConfig": {"resources": ABOVE}}, {"dbConfig": None}),
        SITE,
        "DatabaseReady",
        "InvalidSpec",
        "resources of mariadb: the request of 2Gi memory",
    ),
    Trouble(
        "a web server that requests more than its limit",
        site_checks.resources_fit,
        spec(SITE, "acme", {"componentResources": {"gunicorn": ABOVE}}, {"componentResources": None}),
        SITE,
        "WorkloadsReady",
        "InvalidSpec",
        "resources of gunicorn: the request of 2Gi memory",
    ),
    Trouble(
        "a web server whose limit is the bench's",
        site_checks.resources_fit,
        spec(BENCH, "forge", {"componentResources": {"gunicorn": ABOVE}}, {"componentResources": None}),
        SITE,
        "WorkloadsReady",
        "InvalidSpec",
        "FrappeBench forge, componentResources.gunicorn",
    ),
    Trouble(
        "an autoscaler whose minimum is above the bench's maximum",
        site_checks.autoscalers_can_scale,
        (minimum_above_the_maximum, without_autoscalers),
        SITE,
        "WorkloadsReady",
        "InvalidSpec",
        "minReplicas is 3, but maxReplicas is 2: lower minReplicas or raise maxReplicas (what the site does not set "
        "comes from FrappeBench forge)",
    ),
    Trouble(
        "an autoscaler of a proxy without request or limit",
        bench_checks.proxy_can_scale,
        spec(
            BENCH,
            "forge",
            {
                "componentHPA": {"nginx": {"enabled": True}},
                "componentResources": {"nginx": {"requests": {"memory": "64Mi"}}},
            },
            {"componentHPA": None, "componentResources": None},
        ),
        BENCH,
        "ProxyReady",
        "InvalidSpec",
        "targetCPUUtilization is in percent of the cpu requests, but nginx requests no cpu: set "
        "componentResources.nginx.requests.cpu, or another target",
    ),
    Trouble(
        "a bench of another namespace",
        site_checks.bench_is_in_its_namespace,
        spec(SITE, "acme", {"benchRef": {"namespace": "elsewhere"}}, {"benchRef": {"namespace": None}}),
        SITE,
        "BenchReady",
        "InvalidSpec",
        "benchRef.namespace is elsewhere",
    ),
    Trouble(
        "no Secret",
        site_checks.database_secret_is_usable,
        (secret_lost, secret_made),
        SITE,
        "DatabaseReady",
        "SecretNotFound",
        "Secret ledger does not exist",
    ),
    Trouble(
        "a Secret without a host",
        site_checks.database_secret_is_usable,
        ledger(host=""),
        SITE,
        "DatabaseReady",
        "SecretInvalid",
        "Secret ledger lacks host",
    ),
    Trouble(
        "a user who is not called like the database",
        site_checks.database_secret_is_usable,
        ledger(username="captain"),
        SITE,
        "DatabaseReady",
        "SecretInvalid",
        "username is captain and database is ledger",
    ),
    Trouble(
        "a database of another site",
        site_checks.database_secret_is_usable,
        (label(OF_ANOTHER.strip("_")), label_back),
        SITE,
        "DatabaseReady",
        "NameConflict",
        "which does not belong to this site",
    ),
    Trouble(
        "a host that is an address",
        site_checks.host_can_be_served,
        spec(SITE, "bolt", {"domain": None}, {"domain": "bolt.example.com"}),
        SITE,
        "BenchReady",
        "InvalidSpec",
        "siteName gives 2024, which is an address",
    ),
    Trouble(
        "a load balancer without an address",
        site_checks.load_balancer_has_an_address,
        spec(
            BENCH,
            "forge",
            {"domainConfig": {"autoDetect": True, "ingressControllerRef": {"name": "controller"}}},
            {"domainConfig": None},
        ),
        SITE,
        "BenchReady",
        "AddressPending",
        "Service controller in namespace default",
    ),
    Trouble(
        "a Gateway without a name",
        site_checks.gateway_is_named,
        spec(SITE, "acme", {"ingress": {"type": "Gateway"}}, {"ingress": None}),
        SITE,
        "Routed",
        "InvalidSpec",
        "name the Gateway in ingress.gatewayRef",
    ),
    Trouble(
        "a snippet of a site",
        site_checks.annotations_are_allowed,
        spec(SITE, "acme", {"ingress": {"annotations": SNIPPET}}, {"ingress": None}),
        SITE,
        "Routed",
        "InvalidSpec",
        "server-snippet is not allowed",
    ),
    Trouble(
        "a wildcard host that the bench does not allow",
        site_checks.other_hosts_can_be_served,
        spec(SITE, "acme", {"aliases": ["*.acme.example.com"]}, {"aliases": None}),
        SITE,
        "Routed",
        "InvalidSpec",
        "set domainConfig.allowWildcards of the bench to true",
    ),
    Trouble(
        "a snippet of a bench",
        bench_checks.annotations_are_allowed,
        spec(BENCH, "forge", {"ingress": {"annotations": SNIPPET}}, {"ingress": None}),
        BENCH,
        "ProxyReady",
        "InvalidSpec",
        "server-snippet is not allowed",
    ),
    Trouble(
        "an image of an earlier version",
        bench_checks.image_suits_the_sites,
        (
            earlier_image,
            lambda world: world.edit(BENCH, "forge", {"spec": {"imageConfig": None}}),
        ),
        BENCH,
        "ImageReady",
        "VersionNotSupported",
        "cannot be downgraded",
    ),
    Trouble(
        "Jobs that request more than their limit",
        bench_checks.jobs_fit,
        spec(BENCH, "forge", {"componentResources": {"jobs": ABOVE}}, {"componentResources": None}),
        BENCH,
        "ImageReady",
        "InvalidSpec",
        "resources of jobs: the request of 2Gi memory",
    ),
    Trouble(
        "two passwords of Redis",
        bench_checks.redis_has_one_password,
        (two_passwords_of_redis, one_password_of_redis),
        BENCH,
        "CacheReady",
        "SecretInvalid",
        "contain different passwords",
    ),
    Trouble(
        "a cache above the limit of Redis",
        bench_checks.cache_fits,
        spec(
            BENCH,
            "forge",
            {"redisConfig": {"maxMemory": "1gb"}, "componentResources": {"redis": {"limits": {"memory": "1Gi"}}}},
            {"redisConfig": None, "componentResources": None},
        ),
        BENCH,
        "CacheReady",
        "InvalidSpec",
        "more than 90% of componentResources.redis.limits.memory",
    ),
    Trouble(
        "a proxy that is trusted and no network",
        bench_checks.trusted_proxies_are_networks,
        spec(BENCH, "forge", {"trustedProxies": ["10.0.0.0/33"]}, {"trustedProxies": None}),
        BENCH,
        "ProxyReady",
        "InvalidSpec",
        "'10.0.0.0/33' is not a network",
    ),
    Trouble(
        "MariaDB down", None, pods("forge-mariadb-*"), BENCH, "DatabaseReady", "DatabaseUnavailable", "forge-mariadb"
    ),
    Trouble("Redis down", None, pods("forge-redis-*"), SITE, "BenchReady", "BenchNotReady", "CacheReady"),
    Trouble("proxy down", None, pods("forge-nginx-*"), SITE, "BenchReady", "BenchNotReady", "ProxyReady"),
    Trouble(
        "web server down",
        None,
        pods("acme-gunicorn-*", "bolt-gunicorn-*"),
        SITE,
        "WorkloadsReady",
        "CrashLoop",
        "-gunicorn",
    ),
]


def test_there_is_a_trouble_for_each_check() -> None:
    named: list[tuple[str, object]] = [*bench_checks.CHECKS, *site_checks.CHECKS, *site_checks.ROUTE_CHECKS]
    checks = {check for _, check in named}
    # A site that runs is older than the deletion of its bench.
    assert {each.check for each in TROUBLES} - {None} == checks - {site_checks.bench_accepts_the_site}


def running() -> World:
    """A bench with a site in its own database and one in the bench's."""
    world = a_world(
        CONNECTION,
        a_bench(),
        a_site("acme", dbConfig=EXTERNAL),
        a_site("bolt", siteName="2024", domain="bolt.example.com"),
    )
    settle(world)
    return world


def said(world: World, trouble: Trouble) -> tuple[str, str, str]:
    """What the trouble's condition says, of the object that has it."""
    names = ["forge"] if trouble.kind is BENCH else ["acme", "bolt"]
    found = [world.condition(trouble.condition, name, trouble.kind) for name in names]
    return next((each for each in found if not each.ok), found[0])


def settled_in(trouble: Trouble) -> World:
    """A world that the trouble has befallen."""
    world = running()
    trouble.acts[0](world)
    settle(world)
    status, reason, message = said(world, trouble)
    assert (status, reason) == ("False", trouble.reason), message
    assert trouble.words in message
    return world


@pytest.mark.parametrize("trouble", TROUBLES, ids=lambda each: each.name)
def test_every_child_that_is_deleted_comes_back(trouble: Trouble) -> None:
    world = settled_in(trouble)
    lost = [ref for ref in world.children() if ref.kind in MENDED]
    assert len(lost) > 30
    for ref in lost:
        world.delete(ref.kind, ref.name)
        world.run(3)
        assert world.get(ref.kind, ref.name), f"{ref} stays away: {said(world, trouble)}"
    trouble.acts[1](world)
    settle(world)
    for kind, name in ((BENCH, "forge"), (SITE, "acme"), (SITE, "bolt")):
        assert world.condition("Ready", name, kind).ok, world.condition("Ready", name, kind)
    world.assert_no_writes(600)


@pytest.mark.parametrize("trouble", TROUBLES, ids=lambda each: each.name)
def test_every_child_that_is_edited_or_scaled_is_put_right_and_nothing_else_changes(trouble: Trouble) -> None:
    world = settled_in(trouble)
    before = world.comparable_objects()
    for ref in world.children():
        if ref.kind in MENDED:
            world.edit(ref.kind, ref.name, {"metadata": {"labels": {"app.kubernetes.io/name": "other"}}})
        # Where no pod becomes ready, those of the edited template may stay, and the status counts them.
        if ref.kind is DEPLOYMENT and world.get_existing(ref).get("status", {}).get("availableReplicas"):
            pod = {"terminationGracePeriodSeconds": 1}
            # An autoscaler decides on the replicas of its own.
            scaled = {} if world.get(HPA, ref.name) else {"replicas": 7}
            world.edit(DEPLOYMENT, ref.name, {"spec": {**scaled, "template": {"spec": pod}}})
        if ref.kind is SERVICE:
            # A selector is one value: with another label it selects no pod.
            world.edit(SERVICE, ref.name, {"spec": {"selector": {"app.kubernetes.io/name": "other"}}})
    settle(world)
    assert world.comparable_objects() == before
    world.assert_no_writes(600)


# Pods have the hosts of their site.
MOVES = ("limit", "a host that is an address")


@pytest.mark.parametrize(
    "trouble", [each for each in TROUBLES if not any(words in each.name for words in MOVES)], ids=lambda each: each.name
)
def test_no_trouble_moves_a_pod_template(trouble: Trouble) -> None:
    world = running()

    def templates() -> dict[str, Manifest]:
        return {
            each["metadata"]["name"]: each["spec"]["template"]
            for kind in (DEPLOYMENT, STATEFUL_SET)
            for each in world.all(kind)
        }

    before = templates()
    trouble.acts[0](world)
    settle(world)
    assert templates() == before


@pytest.mark.parametrize("trouble", [each for each in TROUBLES if each.kind is SITE], ids=lambda each: each.name)
def test_a_proof_that_is_deleted_is_made_again_at_the_latest_when_the_trouble_ends(trouble: Trouble) -> None:
    world = settled_in(trouble)
    for ref in world.children():
        if ref.kind is JOB:
            world.delete(JOB, ref.name)
    settle(world)
    trouble.acts[1](world)
    settle(world)
    assert world.condition("Ready", "acme", SITE).ok, world.condition("Ready", "acme", SITE)
    assert world.condition("Ready", "bolt", SITE).ok, world.condition("Ready", "bolt", SITE)
    done = [effect for effect in world.frappe.ledger if effect.what != "looked into image"]
    assert len(done) == len(set(done))


def test_a_new_site_does_not_begin_what_its_spec_does_not_say() -> None:
    world = a_world(a_bench(), a_site("acme", componentResources={"gunicorn": ABOVE}))
    settle(world)
    assert world.condition("SiteCreated", "acme", SITE).ok
    assert world.condition("WorkloadsReady", "acme", SITE).reason == "InvalidSpec"
    assert world.get(DEPLOYMENT, "acme-gunicorn") is None
    assert world.condition("Stalled", "acme", SITE).ok


def test_a_new_site_of_a_bench_whose_apps_are_not_known_waits_and_says_which_bench() -> None:
    world = a_world(a_bench(appsJSON="[erpnext]"), a_site("acme"))
    settle(world)
    bench = world.condition("Ready", "forge", BENCH)
    assert bench.reason == "InvalidSpec"
    assert world.get(PVC, "forge-common")
    assert world.get(STATEFUL_SET, "forge-mariadb")
    assert "FrappeBench forge" in world.condition("Ready", "acme", SITE).message
    world.edit(BENCH, "forge", {"spec": {"appsJSON": '["erpnext"]'}})
    settle(world)
    assert world.condition("Ready", "acme", SITE).ok
