"""The scheduler and the workers of a site."""

from typing import NamedTuple

from frappe_operator.components import frappe
from frappe_operator.components.metadata import metadata, selector
from frappe_operator.components.pod import FRAPPE, mount, template
from frappe_operator.kube.objects import Manifest
from frappe_operator.model.site import Site

STABLE_SECONDS = 3
"""`minReadySeconds`. The startup probe has checked the work of these pods: what ends them right after it is rare,
and every site that is created waits this long."""

START: Manifest = {"periodSeconds": 5, "timeoutSeconds": 20, "failureThreshold": 120}
"""Timing of startup probes. Python takes seconds to start, on a busy node minutes; a container that exits is restarted
without waiting for the probe."""
ALIVE: Manifest = {
    "periodSeconds": 60,
    "timeoutSeconds": 30,
    "failureThreshold": 5,
    # A frozen worker does not handle SIGTERM and has no job to finish.
    "terminationGracePeriodSeconds": 10,
}


WAIT_FOR_SIGTERM_HANDLER = r"""
# The first process of a container does not get a SIGTERM that it has no handler for: one sent while Python still loads
# would be lost, and the pod would stay for its whole grace period.
until [ $(( 0x$(sed -n 's/^SigCgt:.*\(....\)$/\1/p' /proc/1/status) & 0x4000 )) -ne 0 ]; do sleep 0.5; done
"""
"""Script that waits until the program has a handler for SIGTERM (signal 15, bit 14 of the mask of caught signals)."""


class Process(NamedTuple):
    """One background program of Frappe."""

    part: str
    size: str
    arguments: list[str]
    grace: int
    """Termination grace period in seconds. A worker finishes its job on SIGTERM, so that the period exceeds the timeout
    of its queue; a scheduler ignores SIGTERM."""
    strategy: Manifest
    probes: Manifest
    """Probes and lifecycle hooks of the container. The startup probe checks the work of the program, because a running
    container alone does not show that it works."""
    calls_site: bool = True
    """Whether what runs in it may request pages of the site."""


ROLLING: Manifest = {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}}
ONE_AT_A_TIME: Manifest = {"type": "Recreate"}


def _scheduler() -> Manifest:
    return {"startupProbe": {**frappe.probe("scheduler-started"), **START}}


def _worker(queue: str) -> Manifest:
    """Probes and preStop hook of a worker that listens to `queue`, possibly among others."""
    return {
        "lifecycle": {"preStop": {"exec": {"command": ["sh", "-c", WAIT_FOR_SIGTERM_HANDLER]}}},
        "startupProbe": {**frappe.probe("worker-started", queue), **START},
        "livenessProbe": {**frappe.probe("worker-alive"), **ALIVE},
    }


PROCESSES = [
    Process("scheduler", "scheduler", ["schedule"], 5, ONE_AT_A_TIME, _scheduler(), calls_site=False),
    Process(
        "worker-default",
        "worker_default",
        ["worker", "--queue", "default,short,long"],
        1560,
        ROLLING,
        _worker("default"),
    ),
    Process("worker-long", "worker_long", ["worker", "--queue", "long"], 1560, ROLLING, _worker("long")),
    Process("worker-short", "worker_short", ["worker", "--queue", "short"], 360, ROLLING, _worker("short")),
]


def build(site: Site) -> list[Manifest]:
    """One Deployment per process."""
    return [_deployment(site, process) for process in PROCESSES]


def _deployment(site: Site, process: Process) -> Manifest:
    size = site.sizes[process.size]
    command = [frappe.PYTHON, "-m", "frappe.utils.bench_helper", "frappe", *process.arguments]
    program = frappe.container(
        site,
        process.part,
        command,
        size.resources,
        **({"env": frappe.calling_environment(site)} if process.calls_site else {}),
        **process.probes,
        volumeMounts=[*frappe.program_mounts(site), mount("runner", frappe.RUNNER, read_only=True)],
    )
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": metadata(site.owner, site.names.part(process.part), process.part),
        "spec": {
            **site.scale(process.size).spec,
            "minReadySeconds": STABLE_SECONDS,
            "selector": {"matchLabels": selector(site.owner, process.part)},
            "strategy": process.strategy,
            "template": template(
                site.owner,
                process.part,
                FRAPPE,
                frappe.pod(site, program, grace=process.grace, calls_site=process.calls_site),
                more=frappe.pod_labels(site),
                secret_revision=site.redis_revision,
                replicated=process.strategy is ROLLING,
            ),
        },
    }
