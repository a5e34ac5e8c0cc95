"""App layers of a bench: the Jobs that build them, and the ConfigMap with what was built."""

from collections.abc import Sequence

import msgspec

from frappe_operator.components import frappe
from frappe_operator.components.metadata import metadata
from frappe_operator.components.pod import affinity, config_volume, mount, pull_secrets, scratch, secret_volume
from frappe_operator.components.storage import MOUNTS_COMMON, common_node
from frappe_operator.kube.names import child, digest
from frappe_operator.kube.objects import Manifest
from frappe_operator.model.bench import Bench
from frappe_operator.model.layer import Layer
from frappe_operator.model.layers import FOLDER, LAYERS, Order

PART = "app"
PLACE = "/layers"
"""Where the Job that builds a layer mounts the folder of all layers."""


def job_name(bench: str, key: str) -> str:
    """Name of the Job that builds the layer with this key."""
    return child(bench, f"app-{key}")


def record(bench: Bench) -> list[Manifest]:
    """The ConfigMap with the built layers; none for a bench without layers."""
    if not bench.layers:
        return []
    return [
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": metadata(bench.owner, bench.names.apps, PART),
            "data": {LAYERS: msgspec.json.encode(bench.layers).decode()},
        }
    ]


def build(bench: Bench) -> list[Manifest]:
    """One Job for each layer that the apps of the bench need."""
    return [_job(bench, order) for order in bench.orders]


def removal_name(bench: str, kept: Sequence[Layer]) -> str:
    """Name of the Job that removes all layers but these."""
    return child(bench, f"app-remove-{digest(','.join(sorted(each.key for each in kept)))}")


def remove(bench: Bench) -> list[Manifest]:
    """The Job that removes the layers that nothing needs any more; none without such layers."""
    if not bench.unused_layers:
        return []
    kept = [each for each in bench.layers if each not in bench.unused_layers]
    arguments = ["remove-layers", f"--layers={PLACE}", f"--keep={','.join(each.key for each in kept)}"]
    task = frappe.Task(removal_name(bench.owner.name, kept), PART, arguments, "")
    image = bench.layers_image
    pod: Manifest = {
        **pull_secrets(image.pull_secrets),
        **affinity(*common_node(bench)),
        "containers": [
            {
                "name": "task",
                **frappe.runner(image, *task.arguments),
                "resources": bench.jobs,
                "volumeMounts": [
                    mount("common", PLACE, sub_path=FOLDER),
                    mount("tmp", "/tmp"),
                    mount("runner", frappe.RUNNER, read_only=True),
                ],
            }
        ],
        "volumes": [
            scratch("tmp"),
            {"name": "common", "persistentVolumeClaim": {"claimName": bench.names.common}},
            config_volume("runner", bench.names.runner),
        ],
    }
    return [frappe.job(bench.owner, image, task, pod, MOUNTS_COMMON)]


def _job(bench: Bench, order: Order) -> Manifest:
    others = ",".join(sorted(each.app for each in bench.orders if each.app != order.app))
    arguments = [
        "build-app",
        f"--app={order.app}",
        f"--key={order.key}",
        f"--url={order.url}",
        f"--branch={order.branch}",
        f"--version={order.version}",
        f"--layers={PLACE}",
        f"--others={others}",
    ]
    task = frappe.Task(job_name(bench.owner.name, order.key), PART, arguments, order.secret)
    image = bench.layers_image
    secret = [secret_volume("secret-git", order.secret)] if order.secret else []
    pod: Manifest = {
        **pull_secrets(image.pull_secrets),
        **affinity(*common_node(bench)),
        "initContainers": [
            {
                "name": "folder",
                **frappe.runner(image, "prepare-layers", "--common=/common"),
                "resources": bench.layout,
                "volumeMounts": [
                    mount("common", "/common"),
                    mount("tmp", "/tmp"),
                    mount("runner", frappe.RUNNER, read_only=True),
                ],
            }
        ],
        "containers": [
            {
                "name": "task",
                **frappe.runner(image, *task.arguments),
                "resources": bench.jobs,
                "volumeMounts": [
                    mount("common", PLACE, sub_path=FOLDER),
                    # Where the pods of the sites mount the layer: paths in compiled code are those of later.
                    mount("app", frappe.app_folder(order.app)),
                    mount("sites", frappe.SITES),
                    mount("tmp", "/tmp"),
                    mount("runner", frappe.RUNNER, read_only=True),
                    *([mount("secret-git", f"{frappe.SECRETS}/git", read_only=True)] if secret else []),
                ],
            }
        ],
        "volumes": [
            scratch("app"),
            scratch("sites"),
            scratch("tmp"),
            {"name": "common", "persistentVolumeClaim": {"claimName": bench.names.common}},
            config_volume("runner", bench.names.runner),
            *secret,
        ],
    }
    return frappe.job(bench.owner, image, task, pod, MOUNTS_COMMON)
