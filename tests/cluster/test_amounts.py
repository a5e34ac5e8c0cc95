"""What the real API server makes of amounts and counts is what the operator writes."""

import json
from typing import Any

import pytest
import yaml

from frappe_operator.api import crd
from frappe_operator.cli import source
from frappe_operator.kube.quantities import canonical
from sandbox.cluster import Cluster
from sandbox.installation import Kubectl

pytestmark = [pytest.mark.cluster]

SPELLINGS = [
    *("2", "0.5", "1000m", "1500", "2000", "1536000000", "1024Mi", "1.5Gi", "0.5Ki", "1000Ki", "1.5m", "0.1m", "1.5"),
    *("0.1Ki", "1E", "100m", "1e3", "12e2", "1e4", "1e-3", "1.5e-3", "1e-9", "1n", "1u", "1500u", "1.0001Ki", "1.50"),
    *("1023.5Ki", "1024.5Ki", "1.1Gi", "0.0001Gi", "8Ei", "9223372036854775807", "9223372036854775808", "9999P"),
    *("1152921504606846975.5", "9" * 32, "1.000000000000000000000000000001", "0.000000000000000000000000000001"),
    *("999999.9999k", "1024Pi", "1000P", "1.9999999999999999999999999m", "1e19", "123456789.123456789", "0.3Mi"),
]


@pytest.fixture(scope="session")
def kubectl(control_plane: Cluster) -> Kubectl:
    kubectl = Kubectl.of(control_plane)
    kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", given=yaml.safe_dump_all(crd.definitions()))
    kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=60s")
    return kubectl


def stored(kubectl: Kubectl, text: str) -> list[dict[str, Any]]:
    """Objects as the API server would store them."""
    found = json.loads(kubectl("create", "--dry-run=server", "-o", "json", "-f", "-", given=text))
    return list(found["items"]) if found["kind"] == "List" else [found]


def test_an_amount_is_stored_as_it_is_written(kubectl: Kubectl) -> None:
    claims = [
        {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": {"name": f"claim-{number}", "namespace": "default"},
            "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": text}}},
        }
        for number, text in enumerate(SPELLINGS)
    ]
    containers = [
        {"name": f"c{number}", "image": "x", "resources": {"limits": {"cpu": text, "memory": text}}}
        for number, text in enumerate([*SPELLINGS, "0", "0Ki"])
    ]
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "amounts", "namespace": "default"},
        "spec": {
            "selector": {"matchLabels": {"a": "b"}},
            "template": {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": containers}},
        },
    }
    *made, workload = stored(kubectl, yaml.safe_dump_all([*claims, deployment]))
    sizes = [each["spec"]["resources"]["requests"]["storage"] for each in made]
    assert dict(zip(SPELLINGS, sizes, strict=True)) == {text: canonical(text) for text in SPELLINGS}
    for each in workload["spec"]["template"]["spec"]["containers"]:
        asked = containers[int(each["name"][1:])]["resources"]["limits"]["cpu"]  # type: ignore[index]
        assert each["resources"]["limits"] == {"cpu": canonical(asked), "memory": canonical(asked)}, asked


def test_a_number_without_a_fraction_is_whole_to_the_api_server_and_to_us(kubectl: Kubectl, tmp_path: Any) -> None:
    text = (
        "apiVersion: vyogo.tech/v1alpha1\nkind: FrappeBench\nmetadata: {name: whole, namespace: default}\n"
        "spec:\n  frappeVersion: version-15\n  storage: {size: 1e7}\n"
        "  componentReplicas: {gunicorn: 1.0, nginx: 2e0}\n  componentResources: {nginx: {limits: {cpu: 1.0}}}\n"
    )
    path = tmp_path / "whole.yaml"
    path.write_text(text)
    (made,), (read,) = stored(kubectl, text), source.read(str(path))
    assert made["spec"] == read.value["spec"]
    assert json.dumps(made["spec"]["componentReplicas"]) == '{"gunicorn": 1, "nginx": 2}'
