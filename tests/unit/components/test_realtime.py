"""What a site with several realtime servers has in addition, and a site with one has not."""

from typing import Any

import pytest

from frappe_operator.components import gunicorn, nginx, socketio
from frappe_operator.components.realtime import FOLLOW
from frappe_operator.kube.objects import Manifest
from frappe_operator.model.site import Site
from tests.unit.resolved_samples import a_site


def front_door(site: Site) -> tuple[str, Manifest]:
    """The nginx.conf of the front door, and its container."""
    config, *_, deployment = [each for each in gunicorn.build(site) if each["kind"] in ("ConfigMap", "Deployment")]
    containers = deployment["spec"]["template"]["spec"]["containers"]
    return config["data"]["nginx.conf"], next(each for each in containers if each["name"] == "nginx")


def services(site: Site) -> dict[str, Manifest]:
    return {each["metadata"]["name"]: each["spec"] for each in socketio.build(site) if each["kind"] == "Service"}


@pytest.mark.parametrize(
    "spec",
    [
        {"componentReplicas": {"socketio": 2}},
        # One is all there is now; a second may come at any time.
        {"componentHPA": {"socketio": {"enabled": True}}},
        {"componentReplicas": {"socketio": 0}, "componentHPA": {"socketio": {"enabled": True, "maxReplicas": 2}}},
    ],
)
def test_front_doors_follow_the_replicas_when_there_may_be_several(spec: dict[str, Any]) -> None:
    site = a_site(**spec)
    conf, container = front_door(site)
    assert "include /tmp/replicas.conf;" in conf
    assert container["command"][-1] == FOLLOW + nginx.ENTRY
    assert {"name": "REPLICAS", "value": "pearl-socketio-replicas:9000"} in container["env"]
    alone, headless = services(site)["pearl-socketio"], services(site)["pearl-socketio-replicas"]
    assert "clusterIP" not in alone
    assert headless == {**alone, "clusterIP": "None"}


@pytest.mark.parametrize(
    "spec",
    [
        {},
        {"componentReplicas": {"socketio": 0}},
        {"componentHPA": {"socketio": {"enabled": False, "maxReplicas": 5}}},
        {"componentReplicas": {"socketio": 3}, "componentHPA": {"socketio": {"enabled": True, "maxReplicas": 1}}},
    ],
)
def test_a_site_with_one_realtime_server_has_nothing_of_it(spec: dict[str, Any]) -> None:
    assert front_door(a_site(**spec)) == front_door(a_site())
    conf, container = front_door(a_site())
    assert container["command"][-1] == nginx.ENTRY
    assert "replicas" not in conf
    assert list(services(a_site(**spec))) == ["pearl-socketio"]
