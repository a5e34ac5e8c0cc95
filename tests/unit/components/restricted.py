"""The restricted Pod Security profile, for the fields that our pods use."""

from collections.abc import Iterator
from typing import Any

VOLUMES = {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"}
HOST = ("hostNetwork", "hostPID", "hostIPC")


def broken(pod: dict[str, Any]) -> Iterator[str]:
    """Violations of the profile in the spec of a pod."""
    of_pod = pod.get("securityContext", {})
    yield from (name for name in HOST if pod.get(name))
    for volume in pod.get("volumes", []):
        yield from (f"volume {volume['name']}: {kind}" for kind in set(volume) - {"name"} - VOLUMES)
    for container in (*pod.get("initContainers", []), *pod["containers"]):
        own = container.get("securityContext", {})
        capabilities = own.get("capabilities", {})
        checks = {
            "privileged": not own.get("privileged"),
            "allowPrivilegeEscalation": own.get("allowPrivilegeEscalation") is False,
            "capabilities": capabilities.get("drop") == ["ALL"] and not capabilities.get("add"),
            "runAsNonRoot": own.get("runAsNonRoot", of_pod.get("runAsNonRoot")) is True,
            "runAsUser": own.get("runAsUser", of_pod.get("runAsUser")) != 0,
            "seccompProfile": own.get("seccompProfile", of_pod.get("seccompProfile")) == {"type": "RuntimeDefault"},
            "procMount": own.get("procMount", "Default") == "Default",
            "hostPort": not any(port.get("hostPort") for port in container.get("ports", [])),
        }
        yield from (f"container {container['name']}: {name}" for name, kept in checks.items() if not kept)
