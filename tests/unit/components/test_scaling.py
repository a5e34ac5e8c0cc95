"""Autoscalers, disruption budgets, and the command line of gunicorn."""

from typing import Any

import pytest

from frappe_operator.components import gunicorn, scaling, socketio
from frappe_operator.kube.objects import Manifest
from frappe_operator.model.gunicorn import WebServer
from frappe_operator.model.scaling import Autoscaler
from frappe_operator.model.site import Site
from frappe_operator.model.sizing import Size
from tests.unit.resolved_samples import a_site, an_offer


def kinds(manifests: list[Manifest]) -> list[str]:
    return [each["kind"] for each in manifests]


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        (Size(0, {}), []),
        (Size(1, {}), []),
        (Size(2, {}), ["PodDisruptionBudget"]),
        (Size(5, {}, Autoscaler(1, 9, {"cpu": 70}, {})), ["HorizontalPodAutoscaler"]),
        (Size(2, {}, Autoscaler(2, 9, {"cpu": 70}, {})), ["HorizontalPodAutoscaler", "PodDisruptionBudget"]),
    ],
)
def test_what_a_deployment_of_a_size_has(size: Size, expected: list[str]) -> None:
    assert kinds(scaling.build(a_site().owner, "pearl-gunicorn", "gunicorn", size)) == expected


def test_the_realtime_server_is_scaled_like_any_other() -> None:
    made = socketio.build(a_site(componentHPA={"socketio": {"enabled": True, "minReplicas": 2}}))
    assert kinds(made)[-2:] == ["HorizontalPodAutoscaler", "PodDisruptionBudget"]
    assert made[-2]["spec"]["scaleTargetRef"]["name"] == "pearl-socketio"


def command(site: Site) -> list[str]:
    (deployment,) = [each for each in gunicorn.build(site) if each["kind"] == "Deployment"]
    containers = deployment["spec"]["template"]["spec"]["containers"]
    found: list[str] = next(each["command"] for each in containers if each["name"] == "gunicorn")
    return found


@pytest.mark.parametrize(
    ("site", "words"),
    [
        ({}, ["--workers=2", "--threads=4", "--timeout=120"]),
        ({"workers": 5}, ["--workers=5", "--threads=4", "--timeout=120"]),
        ({"maxRequests": 1000}, ["--max-requests=1000", "--max-requests-jitter=100"]),
        ({"maxRequests": 5}, ["--max-requests=5", "--max-requests-jitter=1"]),
    ],
)
def test_the_settings_of_gunicorn_are_on_its_command_line(site: dict[str, Any], words: list[str]) -> None:
    assert set(words) <= set(command(a_site(gunicorn=site)))


def test_a_web_server_without_settings_has_none_that_it_did_not_have_before() -> None:
    assert command(a_site()) == gunicorn.command(WebServer())
    assert not [word for word in command(a_site()) if "max-requests" in word]
    assert not [word for word in command(a_site(gunicorn={"maxRequests": 0})) if "max-requests" in word]


def test_each_setting_comes_from_the_site_otherwise_from_the_bench() -> None:
    site = a_site(bench=an_offer(gunicorn={"workers": 3, "threads": 8}), gunicorn={"workers": 1, "timeout": 300})
    assert site.web_server == WebServer(workers=1, threads=8, timeout=300)
