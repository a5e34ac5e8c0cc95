"""A site's scheduler and workers."""

from typing import NamedTuple

from frappe_operator.components import frappe
from frappe_operator.components.metadata import metadata, selector
from frappe_operator.components.pod import FRAPPE, template
from frappe_operator.kube.kinds import Manifest
from frappe_operator.model.site import Site

STABLE_SECONDS = 5
"""These pods have no port to ask: one that runs this long has passed what can fail at its start."""


class Process(NamedTuple):
    """One background program of Frappe's."""

    part: str
    size: str
    arguments: list[str]
    grace: int
    """Seconds: a worker finishes its job on SIGTERM, so longer than its queue's time-out; a scheduler ignores it."""
    strategy: Manifest


ROLLING: Manifest = {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}}
ONE_AT_A_TIME: Manifest = {"type": "Recreate"}

PROCESSES = [
    Process("scheduler", "scheduler", ["schedule"], 5, ONE_AT_A_TIME),
    Process("worker-default", "worker_default", ["worker", "--queue", "default,short,long"], 1560, ROLLING),
    Process("worker-long", "worker_long", ["worker", "--queue", "long"], 1560, ROLLING),
    Process("worker-short", "worker_short", ["worker", "--queue", "short"], 360, ROLLING),
]


def build(site: Site) -> list[Manifest]:
    """One Deployment a process."""
    return [_deployment(site, process) for process in PROCESSES]


def _deployment(site: Site, process: Process) -> Manifest:
    size = site.sizes[process.size]
    command = [frappe.PYTHON, "-m", "frappe.utils.bench_helper", "frappe", *process.arguments]
    program = frappe.container(site, process.part, command, size.resources)
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": metadata(site.owner, site.names.part(process.part), process.part),
        "spec": {
            "replicas": size.replicas,
            "minReadySeconds": STABLE_SECONDS,
            "selector": {"matchLabels": selector(site.owner, process.part)},
            "strategy": process.strategy,
            "template": template(site.owner, process.part, FRAPPE, frappe.pod(site, program, grace=process.grace)),
        },
    }
