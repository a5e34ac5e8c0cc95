"""What the real API server makes of amounts and counts is what the operator writes."""

import json
import re
from typing import Any

import pytest

from frappe_operator.cli import source
from frappe_operator.kube import kinds
from frappe_operator.kube.quantities import canonical
from frappe_operator.runtime.client.http import HttpTransport
from frappe_operator.runtime.client.kubeconfig import find
from sandbox.cluster import Cluster
from sandbox.installation import Kubectl
from tests import definitions

pytestmark = [pytest.mark.cluster]

SPELLINGS = [
    *("2", "0.5", "1000m", "1500", "2000", "1536000000", "1024Mi", "1.5Gi", "0.5Ki", "1000Ki", "1.5m", "0.1m", "1.5"),
    *("0.1Ki", "1E", "100m", "1e3", "12e2", "1e4", "1e-3", "1.5e-3", "1e-9", "1n", "1u", "1500u", "1.0001Ki", "1.50"),
    *("1023.5Ki", "1024.5Ki", "1.1Gi", "0.0001Gi", "9223372036854775807", "9223372036854775808", "9999P"),
    *("1152921504606846975.5", "9" * 32, "1.000000000000000000000000000001", "0.000000000000000000000000000001"),
    *("999999.9999k", "1024Pi", "1000P", "1.9999999999999999999999999m", "1e19", "123456789.123456789", "0.3Mi"),
]


@pytest.fixture(scope="session")
def kubectl(control_plane: Cluster) -> Kubectl:
    kubectl = Kubectl.of(control_plane)
    definitions.install(control_plane)
    return kubectl


def stored(kubectl: Kubectl, text: str) -> list[dict[str, Any]]:
    """Objects as the API server would store them."""
    # One after the other, without anything between them that JSON knows.
    found = kubectl("create", "--dry-run=server", "-o", "json", "-f", "-", given=text)
    return [json.loads(each) for each in re.split(r"^(?={)", found, flags=re.MULTILINE) if each]


@pytest.mark.parametrize("text", SPELLINGS)
async def test_an_amount_is_stored_as_it_is_written(control_plane: Cluster, text: str) -> None:
    claim = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": text}}}
    container = {"name": "c", "image": "x", "resources": {"limits": {"cpu": text, "memory": text}}}
    async with HttpTransport(find(str(control_plane.kubeconfig))) as transport:
        for kind, spec in ((kinds.PVC, claim), (kinds.POD, {"containers": [container]})):
            body = {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": {"name": "x"}, "spec": spec}
            answer = await transport.request(
                "POST",
                kind.path("kube-public"),
                query={"dryRun": "All"},
                headers={"Content-Type": "application/json"},
                body=json.dumps(body).encode(),
                timeout=30,
            )
            assert re.findall('"(?:storage|cpu|memory)":"([^"]+)"', answer.body.decode()) != []
            for found in re.findall('"(?:storage|cpu|memory)":"([^"]+)"', answer.body.decode()):
                assert found == canonical(text), kind


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
