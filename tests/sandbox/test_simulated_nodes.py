"""On simulated nodes pods run, Jobs succeed and claims are bound, without a container or a file."""

import json
import time
from pathlib import Path

import pytest

from sandbox.cluster import Cluster
from sandbox.progress import plain

pytestmark = pytest.mark.cluster

FAILING = """
apiVersion: kwok.x-k8s.io/v1alpha1
kind: Stage
metadata: {name: the-job-named-doomed-fails}
spec:
  resourceRef: {apiGroup: v1, kind: Pod}
  selector:
    matchLabels: {job-name: doomed}
    matchExpressions:
    - {key: '.metadata.deletionTimestamp', operator: DoesNotExist}
    - {key: '.status.phase', operator: In, values: [Running]}
  weight: 1
  next:
    statusTemplate: |
      phase: Failed
      containerStatuses:
      - name: {{ (index .spec.containers 0).name }}
        image: ""
        imageID: ""
        ready: false
        restartCount: 0
        state: {terminated: {exitCode: 3, reason: Error, message: told to}}
"""

CLAIM = """
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: files}
spec: {accessModes: [ReadWriteMany], resources: {requests: {storage: 1Gi}}}
"""


@pytest.fixture(scope="module")
def namespace(simulated_cluster: Cluster) -> str:
    name = f"simulated-{time.monotonic_ns()}"
    simulated_cluster.kubectl("create", "namespace", name)
    return name


def test_deployments_become_available_and_jobs_complete(simulated_cluster: Cluster, namespace: str):
    kubectl = simulated_cluster.kubectl
    kubectl("create", "deployment", "web", "--image=localhost/any", "--replicas=3", "-n", namespace)
    kubectl("create", "job", "once", "--image=localhost/any", "-n", namespace)
    kubectl("wait", "deployment/web", "--for=condition=Available", "--timeout=30s", "-n", namespace)
    kubectl("wait", "job/once", "--for=condition=Complete", "--timeout=30s", "-n", namespace)
    pods = json.loads(kubectl("get", "pods", "-l", "app=web", "-o", "json", "-n", namespace))["items"]
    assert len({pod["status"]["podIP"] for pod in pods}) == 3


def test_claims_are_bound_grow_and_take_their_volume_with_them(simulated_cluster: Cluster, namespace: str):
    kubectl = simulated_cluster.kubectl
    kubectl("apply", "-f", "-", "-n", namespace, input=CLAIM)
    kubectl("wait", "pvc/files", "--for=jsonpath={.status.phase}=Bound", "--timeout=30s", "-n", namespace)
    volume = kubectl("get", "pvc", "files", "-o", "jsonpath={.spec.volumeName}", "-n", namespace)
    larger = json.dumps({"spec": {"resources": {"requests": {"storage": "2Gi"}}}})
    kubectl("patch", "pvc", "files", "-p", larger, "-n", namespace)
    kubectl("wait", "pvc/files", "--for=jsonpath={.status.capacity.storage}=2Gi", "--timeout=30s", "-n", namespace)
    kubectl("delete", "pvc", "files", "-n", namespace)
    kubectl("wait", "pv", volume, "--for=delete", "--timeout=30s")


def test_a_stage_of_ones_own_goes_before_those_that_are_there(tmp_path: Path):
    stage = tmp_path / "doomed.yaml"
    stage.write_text(FAILING)
    cluster = Cluster(tmp_path / "cluster", plain())
    cluster.up("simulated", [stage])
    try:
        cluster.kubectl("create", "job", "doomed", "--image=localhost/any")
        cluster.kubectl("create", "job", "lucky", "--image=localhost/any")
        cluster.kubectl("wait", "job/lucky", "--for=condition=Complete", "--timeout=30s")
        cluster.kubectl("wait", "pod", "-l", "job-name=doomed", "--for=jsonpath={.status.phase}=Failed")
        path = "jsonpath={.items[0].status.containerStatuses[0].state.terminated.message}"
        assert cluster.kubectl("get", "pods", "-l", "job-name=doomed", "-o", path) == "told to"
    finally:
        cluster.down()
