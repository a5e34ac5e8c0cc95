"""Pods of tests of the node, and what they say."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from sandbox import busybox
from sandbox.cluster import Cluster
from sandbox.deadline import until

POD_SECONDS = 120
"""How long a pod may take: beside these tests run the end-to-end tests, with dozens of pods on a node of their own."""
POD_TIMEOUT = f"--timeout={POD_SECONDS}s"
CONTAINER = {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}


def kubectl_for(cluster: Cluster, namespace: str) -> Callable[..., str]:
    def kubectl(*args: str, objects: str | None = None) -> str:
        return cluster.kubectl("--namespace", namespace, *args, input=objects)

    return kubectl


def pod(
    name: str, script: str, mounted: Mapping[str, Mapping[str, object]] | None = None, user: int = 1000
) -> dict[str, Any]:
    """A pod that runs a shell script; each of `mounted` is mounted at the root under its name."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": {"app": name}},
        "spec": {
            "securityContext": {"runAsUser": user, "runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
            "terminationGracePeriodSeconds": 0,
            "restartPolicy": "Never",
            "containers": [
                {
                    "name": "main",
                    "image": busybox.IMAGE,
                    "command": ["sh", "-ec", script],
                    "securityContext": CONTAINER,
                    "volumeMounts": [{"name": volume, "mountPath": f"/{volume}"} for volume in mounted or {}],
                }
            ],
            "volumes": [{"name": name, **source} for name, source in (mounted or {}).items()],
        },
    }


def service(name: str, app: str) -> dict[str, Any]:
    spec = {"selector": {"app": app}, "ports": [{"port": 80, "targetPort": 8080}]}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": spec}


def claim(name: str, mode: str, **spec: object) -> dict[str, Any]:
    asked = {"accessModes": [mode], "resources": {"requests": {"storage": "1Gi"}}, **spec}
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": name}, "spec": asked}


def claimed(name: str) -> dict[str, object]:
    return {"persistentVolumeClaim": {"claimName": name}}


def apply(kubectl: Callable[..., str], *objects: dict[str, Any]) -> None:
    items = {"apiVersion": "v1", "kind": "List", "items": objects}
    kubectl("apply", "--filename", "-", objects=json.dumps(items))


def succeeded(kubectl: Callable[..., str], name: str) -> str:
    """What a pod said in its life, which has ended well."""
    phase = "jsonpath={.status.phase}"
    ended = ("Succeeded", "Failed")
    until(lambda: kubectl("get", "pod", name, "--output", phase) in ended, POD_SECONDS, f"pod {name} to end")
    said = kubectl("logs", name)
    assert kubectl("get", "pod", name, "--output", phase) == "Succeeded", said
    return said
