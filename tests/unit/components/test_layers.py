"""Pods of sites with app layers: what they mount, and where they run."""

import msgspec
import pytest

from frappe_operator.components import background, creation, gunicorn, proxy, socketio
from frappe_operator.components.storage import MOUNTS_COMMON
from frappe_operator.kube.objects import Manifest
from frappe_operator.model.layer import Layer
from frappe_operator.model.site import Site
from tests.unit.resolved_samples import FACTS, a_bench, a_site, an_offer

CRM = Layer("crm", "00112233445566aa", "https://git.example.net/crm", "main", "0" * 40, "1.0")


def layered(**more: bool) -> Site:
    return msgspec.structs.replace(a_site(bench=an_offer(facts=FACTS.with_layers((CRM,)))), **more)


def templates(site: Site) -> list[Manifest]:
    children = [*gunicorn.build(site), *socketio.build(site), *background.build(site), *creation.install(site)]
    return [each["spec"]["template"] for each in children if "template" in each.get("spec", {})]


def test_every_container_of_a_site_mounts_its_layers_read_only_where_an_image_has_the_app() -> None:
    for template in templates(layered()):
        pod = template["spec"]
        for container in (*pod["initContainers"], *pod["containers"]):
            (mount,) = [each for each in container["volumeMounts"] if each["name"] == "layers"]
            assert mount == {
                "name": "layers",
                "mountPath": "/home/frappe/frappe-bench/apps/crm",
                "subPath": "layers/00112233445566aa",
                "readOnly": True,
            }
        (volume,) = [each for each in pod["volumes"] if each["name"] == "layers"]
        assert volume["persistentVolumeClaim"] == {"claimName": "pier-common", "readOnly": True}
        assert MOUNTS_COMMON.items() <= template["metadata"]["labels"].items()


def test_the_proxy_of_a_new_bench_serves_the_assets_of_the_image_before_its_layers_are_built() -> None:
    (config,) = proxy.config(msgspec.structs.replace(a_bench(facts=None), inspected=FACTS))
    assert f"try_files /{FACTS.image_key}/$asset @site;" in config["data"]["nginx.conf"]


@pytest.mark.parametrize("one_node", [False, True])
def test_pods_with_layers_run_where_the_common_storage_is_if_one_node_has_it(one_node: bool) -> None:
    for template in templates(layered(common_on_one_node=one_node)):
        terms = template["spec"]["affinity"]["podAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
        selectors = [each["labelSelector"]["matchLabels"] for each in terms]
        assert ({"vyogo.tech/bench": "pier", **MOUNTS_COMMON} in selectors) == one_node
        assert {"vyogo.tech/site": "pearl"} in selectors


def test_a_site_without_layers_mounts_nothing_of_the_common_storage() -> None:
    for template in templates(msgspec.structs.replace(a_site(), common_on_one_node=True)):
        assert "layers" not in {each["name"] for each in template["spec"]["volumes"]}
        assert not MOUNTS_COMMON.items() <= template["metadata"]["labels"].items()
