"""The Job that makes a template: its containers, and what each of them can reach."""

from typing import Any

import msgspec
import pytest

from frappe_operator.components import creation, template
from frappe_operator.components.database import ENGINES
from frappe_operator.components.frappe import INPUTS_ANNOTATION
from frappe_operator.kube.objects import Manifest
from frappe_operator.model import template as model
from frappe_operator.model.layer import Layer
from tests.unit.resolved_samples import FACTS, a_bench, a_site

APPS = ("frappe", "erpnext")
TEMPLATE = model.template(FACTS, APPS)


def containers(job: Manifest) -> dict[str, dict[str, Any]]:
    pod = job["spec"]["template"]["spec"]
    return {each["name"]: each for each in (*pod["initContainers"], *pod["containers"])}


def mounted(container: dict[str, Any]) -> set[str]:
    return {each["name"] for each in container["volumeMounts"]}


def test_the_container_that_runs_frappe_has_neither_root_s_password_nor_a_volume_that_outlives_it() -> None:
    (job,) = template.make(a_bench(), TEMPLATE, [TEMPLATE])
    found = containers(job)
    assert list(found) == ["layout", "database", "template", "task"]
    assert "secret-database-admin" not in mounted(found["template"])
    assert {name for name, each in found.items() if "secret-database-admin" in mounted(each)} == {"database", "task"}
    volumes = job["spec"]["template"]["spec"]["volumes"]
    assert not [each["name"] for each in volumes if "persistentVolumeClaim" in each]
    (connection,) = [each for each in volumes if each["name"] == "connection"]
    assert connection["emptyDir"] == {"medium": "Memory"}, "a password is never on a disk"


def test_a_further_template_does_not_restart_the_job() -> None:
    other = model.template(FACTS, ("frappe", "hrms"))
    (alone,), (both,) = (template.make(a_bench(), TEMPLATE, keep) for keep in ([TEMPLATE], [TEMPLATE, other]))
    assert f"--keep={TEMPLATE.key},{other.key}" in containers(both)["task"]["args"]
    assert alone["metadata"]["annotations"] == both["metadata"]["annotations"]
    assert INPUTS_ANNOTATION in alone["metadata"]["annotations"]


def test_it_requests_little_cpu_and_keeps_declared_limits() -> None:
    jobs = {"requests": {"cpu": "500m", "memory": "512Mi"}, "limits": {"memory": "4Gi"}}
    (job,) = template.make(a_bench(componentResources={"jobs": jobs}), TEMPLATE, [])
    assert containers(job)["template"]["resources"] == {
        "requests": {"cpu": "10m", "memory": "512Mi"},
        "limits": {"memory": "4Gi"},
    }


def test_a_site_gets_the_template_from_the_job_that_creates_its_database() -> None:
    site = a_site()
    engine = ENGINES[site.database.engine]
    (without,), (with_one,) = engine.jobs(site), engine.jobs(site, TEMPLATE.key)
    arguments = with_one["spec"]["template"]["spec"]["containers"][0]["args"]
    assert arguments == [
        "prepare-database",
        f"--site={site.site_name}",
        f"--template={TEMPLATE.key}",
        f"--store={model.store_database('harbour', 'pier')}",
    ]
    assert with_one["metadata"]["annotations"][model.TEMPLATE_ANNOTATION] == TEMPLATE.key
    assert without["spec"]["template"]["spec"]["containers"][0]["args"] == ["prepare-database"]
    assert model.TEMPLATE_ANNOTATION not in without["metadata"]["annotations"]
    (create,) = creation.create(site, template=TEMPLATE.key)
    assert f"--template={TEMPLATE.key}" in create["spec"]["template"]["spec"]["containers"][0]["args"]


def test_the_databases_of_templates_are_not_those_of_sites() -> None:
    names = {model.store_database("harbour", "pier"), model.scratch_database("harbour", "pier", TEMPLATE)}
    assert len(names) == 2
    assert len({name.rpartition("_")[0] for name in names}) == 1
    assert a_site().database.name.rpartition("_")[0] != names.pop().rpartition("_")[0]
    assert model.store_database("harbour", "pier") != model.store_database("haven", "pier")


@pytest.mark.parametrize("change", [{"digest": "sha256:" + "1" * 64}, {"frappe_version": "15.60.0"}, {"request": "2"}])
def test_another_image_has_another_template(change: dict[str, str]) -> None:
    assert model.template(msgspec.structs.replace(FACTS, **change), APPS).key != TEMPLATE.key
    assert model.template(FACTS, ("frappe", "hrms")).key != TEMPLATE.key
    assert model.template(FACTS, tuple(reversed(APPS))).key != TEMPLATE.key


def test_it_has_the_app_layers_that_the_sites_have() -> None:
    layer = Layer("crm", "0123456789ab", "https://git.example.com/crm", "main", "c" * 40, "1.0.0")
    facts = FACTS.with_layers((layer,))
    made = model.template(facts, ("frappe", "crm"))
    (job,) = template.make(a_bench(facts=facts), made, [made])
    pod = job["spec"]["template"]
    for name in ("layout", "template"):
        (mount,) = [each for each in containers(job)[name]["volumeMounts"] if each["name"] == "layers"]
        assert mount["subPath"] == f"layers/{layer.key}"
        assert mount["readOnly"]
    assert f"--layers={layer.key}" in containers(job)["layout"]["args"]
    (path,) = [each["value"] for each in containers(job)["template"]["env"] if each["name"] == "PYTHONPATH"]
    assert path.split(":")[0].endswith("/apps/crm")
    (volume,) = [each for each in pod["spec"]["volumes"] if each["name"] == "layers"]
    assert volume["persistentVolumeClaim"]["readOnly"]
    (term,) = pod["spec"]["affinity"]["podAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    assert term["labelSelector"]["matchLabels"].items() <= pod["metadata"]["labels"].items()
    other = FACTS.with_layers((msgspec.structs.replace(layer, key="ba9876543210"),))
    assert model.template(other, ("frappe", "crm")).key != made.key
