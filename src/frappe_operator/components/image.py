"""Inspection of the image of a bench: the ConfigMap of the runner, the inspection Job, and the ConfigMap of results."""

import msgspec

from frappe_operator import runner as program
from frappe_operator.components import frappe
from frappe_operator.components.common_job import COMMON, common_job
from frappe_operator.components.metadata import metadata
from frappe_operator.components.pod import mount
from frappe_operator.kube.names import child
from frappe_operator.kube.objects import Manifest
from frappe_operator.model.bench import Bench
from frappe_operator.model.image import EARLIER, FACTS, INSPECTED, REFUSED, Facts, Image

PART = "image"


def job_name(bench: str, image: Image) -> str:
    """Name of the Job that inspects `image`. It differs for each image, so that each is inspected once."""
    return child(bench, f"image-{image.key}")


def runner(bench: Bench) -> list[Manifest]:
    """The ConfigMap with the runner, the program that runs inside the Frappe pods of a bench and its sites."""
    return [
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": metadata(bench.owner, bench.names.runner, "runner"),
            "data": program.files(),
        }
    ]


def facts(bench: Bench) -> list[Manifest]:
    """The ConfigMap with the inspection results, from which sites and proxy are built; none before the first one."""
    if bench.facts is None and bench.pending is None:
        return []
    return [
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": metadata(bench.owner, bench.names.image, PART),
            "data": {
                name: msgspec.json.encode(_by_name(found)).decode()
                for name, found in (
                    (FACTS, bench.facts),
                    (REFUSED, bench.refused),
                    (INSPECTED, bench.pending),
                    *((f"{EARLIER}{each.key}", each) for each in bench.earlier),
                )
                if found is not None
            },
        }
    ]


def _by_name(facts: Facts) -> Manifest:
    # Only the fields are sorted: apps remain in the order of the image, in which they are shown.
    fields = dict(sorted(msgspec.to_builtins(facts).items()))
    empty = [] if facts.layers else ["layers", "imageApps"]
    if not facts.assets_size:
        empty.append("assetsSize")
    return {name: value for name, value in fields.items() if name not in empty}


def inspect(bench: Bench) -> list[Manifest]:
    """The Job that reads apps and versions from the image and publishes its assets on the common storage."""
    previous, image = bench.facts, bench.image
    if image.request and image.pull_policy == "IfNotPresent":
        # The node may still have the image to which the tag referred before.
        image = msgspec.structs.replace(image, pull_policy="Always")
    before = (
        ""
        if previous is None
        else previous.image_key
        if previous.image_key != bench.image.key
        else previous.previous_key
    )
    keep = ",".join(dict.fromkeys([*filter(None, [before]), *(each.image_key for each in bench.earlier)]))
    task = frappe.Task(
        job_name(bench.owner.name, bench.image),
        PART,
        ["inspect-image", f"--image-key={bench.image.key}", f"--common={COMMON}", f"--keep={keep}"],
        "",
    )
    return [common_job(bench, image, task, mount("common", COMMON))]
