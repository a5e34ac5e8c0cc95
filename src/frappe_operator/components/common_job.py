"""Jobs of a bench that work on its common storage."""

from collections.abc import Sequence

from frappe_operator.components import frappe
from frappe_operator.components.pod import affinity, config_volume, pull_secrets, scratch
from frappe_operator.components.storage import MOUNTS_COMMON, common_node
from frappe_operator.kube.objects import Manifest
from frappe_operator.model.bench import Bench
from frappe_operator.model.image import Image

COMMON = "/common"
"""Where a container mounts the common storage as a whole."""


def common_job(
    bench: Bench,
    image: Image,
    task: frappe.Task,
    *mounts: Manifest,
    before: Sequence[Manifest] = (),
    volumes: Sequence[Manifest] = (),
) -> Manifest:
    """A Job that runs a task with these mounts of the volume `common`, near the pods that mount it. `before`: its init
    containers. `volumes`: further ones."""
    pod: Manifest = {
        **pull_secrets(image.pull_secrets),
        **affinity(*common_node(bench)),
        **({"initContainers": list(before)} if before else {}),
        "containers": [frappe.task_container(image, "task", task.arguments, bench.jobs, *mounts)],
        "volumes": [
            scratch("tmp"),
            {"name": "common", "persistentVolumeClaim": {"claimName": bench.names.common}},
            config_volume("runner", bench.names.runner),
            *volumes,
        ],
    }
    return frappe.job(bench.owner, image, task, pod, MOUNTS_COMMON)
