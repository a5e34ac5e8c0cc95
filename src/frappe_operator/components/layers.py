"""App layers of a bench: the Jobs that build them, and the ConfigMap with what was built."""

from collections.abc import Sequence

import msgspec

from frappe_operator.components import frappe
from frappe_operator.components.common_job import COMMON, common_job
from frappe_operator.components.metadata import metadata
from frappe_operator.components.pod import mount, scratch, secret_volume
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
    return [common_job(bench, bench.layers_image, task, mount("common", PLACE, sub_path=FOLDER))]


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
    prepare = ["prepare-layers", f"--common={COMMON}"]
    folder = frappe.task_container(image, "folder", prepare, bench.layout, mount("common", COMMON))
    secret = [secret_volume("secret-git", order.secret)] if order.secret else []
    return common_job(
        bench,
        image,
        task,
        mount("common", PLACE, sub_path=FOLDER),
        # Where the pods of the sites mount the layer: paths in compiled code are those of later.
        mount("app", frappe.app_folder(order.app)),
        mount("sites", frappe.SITES),
        *([mount("secret-git", f"{frappe.SECRETS}/git", read_only=True)] if secret else []),
        before=[folder],
        volumes=[scratch("app"), scratch("sites"), *secret],
    )
