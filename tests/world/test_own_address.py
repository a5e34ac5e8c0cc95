"""The pods of a site reach its public address inside the cluster, and are restarted no more often than that needs."""

from typing import Any

from fakecluster import certificates
from fakecluster.samples import a_bench, a_site, a_world
from fakecluster.world import World, settle
from frappe_operator.api.kinds import SITE
from frappe_operator.kube.kinds import DEPLOYMENT, JOB, SECRET, SERVICE, Ref
from frappe_operator.kube.objects import Manifest
from tests.world.site_state import revisions

HOST, ALIAS = "acme.example.com", "www.example.com"
CALLERS = {f"acme-{part}" for part in ("gunicorn", "worker-default", "worker-long", "worker-short")}
OTHERS = {"acme-scheduler", "acme-socketio"}


def a_settled_world(*more: Manifest, **spec: Any) -> World:
    """The site acme with this spec, settled."""
    world = a_world(a_bench(), a_site("acme", **spec), *more)
    settle(world)
    return world


def pod(world: World, name: str) -> Manifest:
    found: Manifest = world.get_existing(Ref(DEPLOYMENT, "default", name))["spec"]["template"]["spec"]
    return found


def aliases(world: World, name: str) -> dict[str, list[str]]:
    """The hosts by address that the pods of a Deployment resolve by themselves."""
    return {each["ip"]: each["hostnames"] for each in pod(world, name).get("hostAliases", [])}


def service(world: World) -> Manifest:
    found: Manifest = world.get_existing(Ref(SERVICE, "default", "acme-gunicorn"))["spec"]
    return found


def ports(world: World) -> dict[int, str]:
    return {each["port"]: each["targetPort"] for each in service(world)["ports"]}


def with_authority(secret: Manifest, text: str = "an authority") -> Manifest:
    return {**secret, "stringData": {**secret["stringData"], "ca.crt": text}}


def containers(world: World, name: str) -> dict[str, Manifest]:
    return {each["name"]: each for each in pod(world, name)["containers"]}


def test_a_new_site_finds_itself_and_its_pods_are_made_once() -> None:
    world = a_settled_world(aliases=[ALIAS], redirects=["old.example.com"])
    own = {service(world)["clusterIP"]: [HOST, ALIAS]}
    assert {name: aliases(world, name) for name in CALLERS} == dict.fromkeys(CALLERS, own)
    assert {name: aliases(world, name) for name in OTHERS} == {name: {} for name in OTHERS}
    assert ports(world) == {8080: "http", 8000: "http", 80: "http"}
    assert set(revisions(world).values()) == {1}
    assert not any("hostAliases" in job["spec"]["template"]["spec"] for job in world.all(JOB))
    world.assert_no_writes(600)


def test_a_changed_host_restarts_the_pods_that_call_the_site_and_no_other() -> None:
    world = a_settled_world()
    before = revisions(world)
    world.edit(SITE, "acme", {"spec": {"aliases": [ALIAS]}})
    settle(world)
    changed = {name for name, count in revisions(world).items() if count != before[name]}
    assert changed == CALLERS
    assert {name: revisions(world)[name] - before[name] for name in CALLERS} == dict.fromkeys(CALLERS, 1)


def test_a_service_that_is_lost_gets_another_address_and_the_pods_follow_once() -> None:
    world = a_settled_world()
    before, address = revisions(world), service(world)["clusterIP"]
    world.delete(SERVICE, "acme-gunicorn")
    settle(world)
    assert service(world)["clusterIP"] != address
    assert aliases(world, "acme-gunicorn") == {service(world)["clusterIP"]: [HOST]}
    assert {name: revisions(world)[name] - before[name] for name in CALLERS} == dict.fromkeys(CALLERS, 1)
    assert world.condition("Ready", "acme", SITE).ok


def test_a_service_of_somebody_else_is_not_the_site() -> None:
    theirs = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "acme-gunicorn"},
        "spec": {"ports": [{"port": 80}]},
    }
    world = a_settled_world(theirs)
    assert world.condition("Routed", "acme", SITE).reason == "NameConflict"
    assert "has no address yet" in world.condition("WorkloadsReady", "acme", SITE).message
    assert world.get(DEPLOYMENT, "acme-gunicorn") is None
    world.delete(SERVICE, "acme-gunicorn")
    settle(world)
    assert world.condition("Ready", "acme", SITE).ok
    assert aliases(world, "acme-gunicorn") == {service(world)["clusterIP"]: [HOST]}


def test_hosts_of_others_and_names_that_may_be_services_are_left_to_the_dns() -> None:
    world = a_settled_world(a_site("bolt", siteName="bolt", aliases=[HOST, "bolt.example.com"]))
    own = world.get_existing(Ref(SERVICE, "default", "bolt-gunicorn"))["spec"]["clusterIP"]
    assert aliases(world, "bolt-gunicorn") == {own: ["bolt.example.com"]}


def test_the_key_is_in_one_container_that_has_nothing_of_the_site() -> None:
    world = a_settled_world(certificates.secret("shop", HOST), tls={"secretName": "shop"})
    assert ports(world)[443] == "https"
    volumes = {each["name"]: each for each in pod(world, "acme-gunicorn")["volumes"]}
    of_secret = {name for name, each in volumes.items() if each.get("secret", {}).get("secretName") == "shop"}
    assert of_secret == {"certificate"}
    mounts = {
        name: {mount["name"] for mount in container["volumeMounts"]}
        for name, container in containers(world, "acme-gunicorn").items()
    }
    assert [name for name, found in mounts.items() if "certificate" in found] == ["own-tls"]
    assert mounts["own-tls"] & (mounts["gunicorn"] | mounts["nginx"]) == set(), "no directory that another writes to"
    for name in (CALLERS | OTHERS) - {"acme-gunicorn"}:
        assert not [each for each in pod(world, name)["volumes"] if each.get("secret", {}).get("secretName") == "shop"]


def test_where_no_pod_can_have_the_certificate_visitors_way_is_the_only_one() -> None:
    world = a_settled_world(tls={"enabled": True})
    assert {name: aliases(world, name) for name in CALLERS} == {name: {} for name in CALLERS}
    assert 443 not in ports(world)
    assert "own-tls" not in containers(world, "acme-gunicorn")


def test_a_certificate_that_comes_or_is_renewed_restarts_no_pod() -> None:
    world = a_settled_world(tls={"secretName": "shop"})
    before = revisions(world)
    world.add(certificates.secret("shop", HOST))
    settle(world)
    assert world.condition("Ready", "acme", SITE).ok
    world.edit(SECRET, "shop", {"stringData": certificates.secret("shop", HOST, ALIAS)["stringData"]})
    settle(world)
    assert revisions(world) == before


def test_an_authority_of_ones_own_is_trusted_by_the_programs_and_they_restart_when_it_changes() -> None:
    world = a_settled_world(with_authority(certificates.secret("shop", HOST)), tls={"secretName": "shop"})
    assert set(revisions(world).values()) == {1}
    for name, program in {"acme-gunicorn": "gunicorn", "acme-worker-long": "worker-long"}.items():
        env = {each["name"]: each["value"] for each in containers(world, name)[program]["env"]}
        assert env["REQUESTS_CA_BUNDLE"] == env["SSL_CERT_FILE"] != ""
        (authority,) = [each for each in pod(world, name)["volumes"] if each["name"] == "authority"]
        assert authority["secret"]["items"] == [{"key": "ca.crt", "path": "ca.crt"}], "without the key"
    before = revisions(world)
    world.edit(SECRET, "shop", {"stringData": {"ca.crt": "another authority"}})
    settle(world)
    assert {name: revisions(world)[name] - before[name] for name in CALLERS} == dict.fromkeys(CALLERS, 1)
    assert {name: revisions(world)[name] - before[name] for name in OTHERS} == dict.fromkeys(OTHERS, 0)
