"""Which image sites run: what was inspected, until somebody asks for another, and never an older release."""

import json

import pytest

from fakecluster.controllers.kubelet import image_digest
from fakecluster.frappe import VERSIONS, Effect
from fakecluster.samples import a_bench, a_site, a_world
from fakecluster.world import World, settle
from frappe_operator.api.kinds import BENCH, SITE
from frappe_operator.kube.kinds import CONFIG_MAP, DEPLOYMENT, JOB, POD, Ref
from frappe_operator.kube.objects import Manifest

REPOSITORY = "registry.example.com/erp"
OLD, NEW = {**VERSIONS, "frappe": "15.51.1"}, {**VERSIONS, "frappe": "15.102.0"}


def named(tag: str) -> Manifest:
    """A bench's spec with an image of this tag."""
    return {"imageConfig": {"repository": REPOSITORY, "tag": tag}}


def with_releases(**releases: dict[str, str]) -> World:
    """A settled bench with a site, where these tags have these versions in them; it runs `now`."""
    world = a_world(a_bench(**named("now")), a_site())
    for tag, versions in releases.items():
        world.frappe.releases[image_digest(f"{REPOSITORY}:{tag}")] = versions
    settle(world)
    return world


def running(world: World) -> set[str]:
    """Images of Frappe that the site's pods run, by digest."""
    pods = [pod for pod in world.all(POD, "acme-*") if pod["status"]["phase"] == "Running"]
    ids = {status["imageID"] for pod in pods for status in pod["status"]["containerStatuses"]}
    return {each.partition("@")[2] for each in ids if each.startswith(REPOSITORY)}


def asked_for(world: World) -> set[str]:
    """Images of Frappe in the site's Deployments."""
    pods = [each["spec"]["template"]["spec"] for each in world.all(DEPLOYMENT, "acme-*")]
    images = {container["image"] for pod in pods for container in pod["containers"]}
    return {each for each in images if each.startswith(REPOSITORY)}


def recorded(world: World) -> Manifest:
    """What the bench keeps of its images."""
    data = world.get_existing(Ref(CONFIG_MAP, "default", "forge-image"))["data"]
    return {name: json.loads(value) for name, value in data.items()}


def restart(world: World) -> None:
    """One pod of the site starts anew, on a node that has no image."""
    pod = world.all(POD, "acme-gunicorn-*")[0]
    world.kubelet.moved[f"{REPOSITORY}:now"] = "moved"
    world.kubelet.forget_images()
    world.delete(POD, pod["metadata"]["name"])
    settle(world)


def test_a_pod_that_starts_after_the_tag_has_moved_runs_what_its_neighbours_run() -> None:
    world = with_releases(now=OLD)
    first = image_digest(f"{REPOSITORY}:now")
    assert asked_for(world) == {f"{REPOSITORY}:now@{first}"}
    restart(world)
    assert running(world) == {first}
    status = world.get_existing(Ref(BENCH, "default", "forge"))["status"]["image"]
    assert (status["reference"], status["digest"]) == (f"{REPOSITORY}:now", first)
    world.assert_no_writes(600)


def test_a_moved_tag_is_rolled_out_when_somebody_asks_for_it() -> None:
    world = with_releases(now=OLD)
    world.frappe.releases[image_digest(f"{REPOSITORY}:now", "moved")] = NEW
    restart(world)
    world.edit(BENCH, "forge", {"metadata": {"annotations": {"vyogo.tech/inspect-image": "1"}}})
    settle(world)
    second = image_digest(f"{REPOSITORY}:now", "moved")
    assert running(world) == {second}
    assert world.condition("Ready", "acme", SITE).ok
    assert world.get_existing(Ref(BENCH, "default", "forge"))["status"]["image"]["frappeVersion"] == "15.102.0"
    proxy = world.get_existing(Ref(CONFIG_MAP, "default", "forge-nginx"))["data"]["nginx.conf"]
    assert f"/{recorded(world)['facts']['previousKey']}/$asset" in proxy
    jobs = len(world.all(JOB, "forge-image-*"))
    world.edit(BENCH, "forge", {"metadata": {"annotations": {"vyogo.tech/inspect-image": None}}})
    settle(world)
    assert running(world) == {second}
    assert len(world.all(JOB, "forge-image-*")) == jobs
    assert world.condition("Ready", "acme", SITE).ok
    world.assert_no_writes(600)


def test_an_image_that_the_node_knows_by_no_digest_is_run_by_its_name() -> None:
    world = a_world(a_bench(**named("now")), a_site())
    world.kubelet.by_hand = True
    settle(world)
    assert asked_for(world) == {f"{REPOSITORY}:now"}
    assert world.condition("Ready", "acme", SITE).ok


def test_what_an_earlier_operator_recorded_is_run_as_it_is() -> None:
    world = a_world(a_bench(**named("now")), a_site())
    world.kubelet.by_hand = True
    settle(world)
    world.kubelet.by_hand = False
    facts = recorded(world)["facts"]
    for name in ("digest", "request"):
        del facts[name]
    world.edit(CONFIG_MAP, "forge-image", {"data": {"facts": json.dumps(facts)}})
    before = world.get_existing(Ref(DEPLOYMENT, "default", "acme-gunicorn"))["metadata"]["generation"]
    world.crash()
    settle(world)
    assert world.get_existing(Ref(DEPLOYMENT, "default", "acme-gunicorn"))["metadata"]["generation"] == before


@pytest.mark.parametrize(
    ("there", "reason", "words"),
    [
        (OLD, "VersionNotSupported", "contains frappe 15.51.1, but the data of FrappeSite acme is of frappe 15.102.0"),
        ({**NEW, "erpnext": "15.9.0"}, "VersionNotSupported", "contains erpnext 15.9.0"),
        ({"frappe": "15.103.0"}, "AppNotInImage", "erpnext is not in image"),
    ],
)
def test_an_image_that_the_sites_cannot_run_is_refused_and_they_stay_on_theirs(
    there: dict[str, str], reason: str, words: str
) -> None:
    world = with_releases(now=NEW, other=there)
    first = image_digest(f"{REPOSITORY}:now")
    # With git, an app that the image lacks is fetched.
    world.edit(BENCH, "forge", {"spec": {**named("other"), "gitConfig": {"enabled": False}}})
    settle(world)
    said = world.condition("ImageReady", "forge", BENCH)
    assert (said.status, said.reason) == ("False", reason)
    assert words in said.message
    assert "Nothing is changed, and the sites run on" in said.message
    assert world.condition("Stalled", "forge", BENCH).ok
    assert world.condition("Ready", "acme", SITE).ok
    assert running(world) == {first}
    # Settled: the record answers, also a new process, and also when nothing of the Job is left.
    for pod in world.all(POD, "forge-image-*"):
        world.delete(POD, pod["metadata"]["name"])
    world.crash()
    world.assert_no_writes(600)
    # The record is lost: what the sites run is in the status.
    world.delete(CONFIG_MAP, "forge-image")
    for job in world.all(JOB, "forge-image-*"):
        world.delete(JOB, job["metadata"]["name"])
    settle(world)
    assert running(world) == {first}
    assert world.condition("ImageReady", "forge", BENCH).reason == reason
    world.edit(BENCH, "forge", {"spec": named("now")})
    settle(world)
    assert world.condition("Ready", "forge", BENCH).ok
    assert set(recorded(world)) == {"facts"}
    world.assert_no_writes(600)


def test_a_bench_without_sites_takes_any_image() -> None:
    world = with_releases(now=NEW, other=OLD)
    world.delete(SITE, "acme")
    settle(world)
    world.edit(BENCH, "forge", {"spec": named("other")})
    settle(world)
    assert world.condition("Ready", "forge", BENCH).ok
    assert recorded(world)["facts"]["frappeVersion"] == "15.51.1"


def test_a_refused_image_is_taken_when_the_last_site_it_could_hurt_is_gone() -> None:
    world = with_releases(now=NEW, other=OLD)
    world.edit(BENCH, "forge", {"spec": named("other")})
    settle(world)
    assert set(recorded(world)) == {"facts", "refused"}
    world.delete(SITE, "acme")
    settle(world)
    assert world.condition("Ready", "forge", BENCH).ok
    assert recorded(world)["facts"]["frappeVersion"] == "15.51.1"


def test_an_app_that_the_spec_names_no_more_is_still_said_to_be_installed() -> None:
    world = a_world(a_bench(appsJSON='["erpnext", "hrms"]'), a_site())

    def installed() -> list[str]:
        found: list[str] = world.get_existing(Ref(SITE, "default", "acme"))["status"]["installedApps"]
        return found

    settle(world)
    assert installed() == ["frappe", "erpnext", "hrms"]
    world.edit(SITE, "acme", {"spec": {"apps": ["hrms"]}})
    settle(world)
    assert world.condition("Ready", "acme", SITE).ok
    assert sorted(installed()) == ["erpnext", "frappe", "hrms"]
    asked = len(world.server.requests)
    world.edit(SITE, "acme", {"metadata": {"annotations": {"somebody": "was here"}}})
    world.assert_no_writes(300)
    assert [each.verb for each in world.server.requests[asked:] if each.verb != "watch"] == []


def test_an_image_job_whose_word_was_lost_is_made_again_but_not_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    world = a_world()
    said = world.frappe.inspect_image
    silent = [2]

    def inspect_image(pod: Manifest, flags: dict[str, str]) -> tuple[bool, str, Manifest]:
        silent[0] -= 1
        return said(pod, flags) if silent[0] < 0 else (True, "", {})

    monkeypatch.setattr(world.frappe, "inspect_image", inspect_image)
    settle(world, 120)
    assert world.condition("Ready", "forge", BENCH).ok
    assert [write.ref.kind for write in world.writes if write.verb == "delete"] == [JOB, JOB]


def test_after_each_change_of_image_pages_name_the_assets_of_the_one_that_runs() -> None:
    world = a_world(a_bench(), a_site("acme"), a_site("bolt"))
    settle(world)
    assert world.frappe.page("acme").partition("@")[0].endswith("version-15")
    for version in ("version-15-b", "version-15-c"):
        world.edit(BENCH, "forge", {"spec": {"frappeVersion": version}})
        settle(world)
        for name in ("acme", "bolt"):
            assert world.condition("Ready", name, SITE).ok
            assert world.frappe.page(name).partition("@")[0].endswith(version)
        assert len(world.all(JOB, "acme-assets-*")) == 1, "that of the image before is gone"
        world.assert_no_writes(600)


def test_a_new_image_is_looked_into_and_rolled_out() -> None:
    world = a_world()
    settle(world)
    world.edit(BENCH, "forge", {"spec": {"imageConfig": {"repository": "example.com/erp", "tag": "v15.60.0"}}})
    settle(world)
    assert world.condition("Ready", "acme", SITE).ok
    images = {
        container["image"]
        for pod in world.all(POD, "acme-*")
        if pod["status"]["phase"] == "Running"
        for container in pod["spec"]["containers"]
    }
    assert images == {f"example.com/erp:v15.60.0@{image_digest('example.com/erp:v15.60.0')}"}
    assert len(world.all(JOB, "forge-image-*")) == 1
    assert world.frappe.ledger.count(Effect("created site", "acme.example.com")) == 1
    world.assert_no_writes(600)
