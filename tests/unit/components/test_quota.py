"""With a ResourceQuota on limits.cpu, every container needs a CPU limit: one can be set for each of them."""

import json
from collections.abc import Mapping
from pathlib import Path

from frappe_operator.api.frappebench import BenchResources
from frappe_operator.api.kinds import BENCH, SITE
from frappe_operator.api.types import ComponentResources
from frappe_operator.components import database
from frappe_operator.components.database.interface import Remains
from frappe_operator.kube.objects import Manifest
from frappe_operator.model.bench import BenchOffer
from frappe_operator.model.site import job_resources
from frappe_operator.model.sizing import camel
from tests.unit.components.conftest import World, build
from tests.unit.components.test_manifests import containers
from tests.unit.resolved_samples import a_site, an_offer, live

LIMITED = {"limits": {"cpu": "1", "memory": "1Gi"}}
BENCH_SPEC = {
    "frappeVersion": "version-15",
    "componentResources": {camel(each): LIMITED for each in BenchResources.__struct_fields__},
    "databaseConfig": {"resources": LIMITED},
}
SITE_SPEC = {
    "benchRef": {"name": "pier"},
    "siteName": "pearl.example.net",
    "componentResources": {camel(each): LIMITED for each in ComponentResources.__struct_fields__},
}


def rendered(folder: Path, bench: Mapping[str, object], site: Mapping[str, object]) -> World:
    """The children of a bench and a site with these specs."""
    version = BENCH.api_version
    file = folder / "input.yaml"
    objects = [("FrappeBench", "pier", bench), ("FrappeSite", "pearl", site)]
    file.write_text(
        "\n---\n".join(
            json.dumps({"apiVersion": version, "kind": kind, "metadata": {"name": name}, "spec": spec})
            for kind, name, spec in objects
        )
    )
    return build(file)


def unlimited(world: World) -> set[str]:
    """Containers without a CPU limit."""
    return {
        f"{name}: {container['name']}"
        for name, template in world.workloads()
        for container in containers(template)
        if "cpu" not in container["resources"].get("limits", {})
    }


def test_every_container_of_every_pod_can_have_a_limit(tmp_path: Path) -> None:
    assert unlimited(rendered(tmp_path, BENCH_SPEC, SITE_SPEC)) == set()


def test_what_the_bench_says_is_the_default_for_its_sites(tmp_path: Path) -> None:
    bare = {name: value for name, value in SITE_SPEC.items() if name != "componentResources"}
    assert unlimited(rendered(tmp_path, BENCH_SPEC, bare)) == set()


def test_by_default_memory_is_limited_and_cpu_is_not(tmp_path: Path) -> None:
    world = rendered(tmp_path, {"frappeVersion": "version-15"}, {**SITE_SPEC, "componentResources": {}})
    for name, template in world.workloads():
        for container in containers(template):
            assert set(container["resources"]["limits"]) == {"memory"}, (name, container["name"])


def drop(site: Mapping[str, object], bench: Mapping[str, object] | None) -> Manifest:
    """`resources` of the Job that drops the database of a site with these specs, valid or not."""
    of_spec, decided = a_site(), an_offer()
    assert decided.target_image is not None
    sizes = job_resources(
        live("pearl", dict(site), kind=SITE), None if bench is None else live("pier", dict(bench), kind=BENCH)
    )
    owner, named = of_spec.owner, of_spec.database.name
    (job,) = database.drop(
        Remains(owner, decided.target_image, decided.names, sizes, "pearl-db-connection", named, server_exists=True)
    )
    resources: Manifest = job["spec"]["template"]["spec"]["containers"][0]["resources"]
    return resources


def test_a_site_s_removal_has_the_size_of_its_jobs_whatever_else_its_spec_says() -> None:
    wanted = {"componentResources": {"jobs": {"limits": {"cpu": "7", "memory": "7Gi"}}}}
    assert drop({**SITE_SPEC, **wanted}, None)["limits"] == {"cpu": "7", "memory": "7Gi"}
    assert drop({"benchRef": {"name": "pier"}, "siteName": "a.example.net"}, {**BENCH_SPEC, **wanted})["limits"] == {
        "cpu": "7",
        "memory": "7Gi",
    }
    usual = drop({}, None)
    assert usual["limits"] == {"memory": "2Gi"}
    assert drop({"siteName": 7}, {"frappeVersion": 7}) == usual
    assert drop({**SITE_SPEC, "componentResources": {"jobs": {"limits": {"memory": "much"}}}}, None) == usual


def fingerprint(bench: BenchOffer) -> str:
    annotations = database.built_in.jobs(a_site(bench=bench))[0]["metadata"]["annotations"]
    return str(annotations["vyogo.tech/inputs"])


def test_an_unfinished_job_starts_again_when_its_size_changes() -> None:
    bench = an_offer()
    assert fingerprint(bench) == fingerprint(an_offer(componentResources={"gunicorn": LIMITED}))
    for part in ("jobs", "layout"):
        assert fingerprint(bench) != fingerprint(an_offer(componentResources={part: LIMITED})), part
