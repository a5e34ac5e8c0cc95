"""A site's scheduler and workers."""

from typing import NamedTuple

from frappe_operator.components import frappe
from frappe_operator.components.metadata import metadata, selector
from frappe_operator.components.pod import FRAPPE, mount, template
from frappe_operator.kube.objects import Manifest
from frappe_operator.model.site import Site

STABLE_SECONDS = 10
"""These pods have no port to ask. One that has proved its start (see `Process.care`) and runs this much longer has
passed what can fail then."""

START: Manifest = {"periodSeconds": 5, "timeoutSeconds": 20, "failureThreshold": 120}
"""Python takes seconds to start, on a busy node far longer; a program that ends is not waited for anyway."""
ALIVE: Manifest = {
    "periodSeconds": 60,
    "timeoutSeconds": 30,
    "failureThreshold": 5,
    # One that is frozen does not hear SIGTERM: it has no job to finish.
    "terminationGracePeriodSeconds": 10,
}


HEARS_SIGTERM = r"""
# The first process of a container does not get a SIGTERM that it has no handler for: one sent while Python still loads
# would be lost, and the pod would stay for its whole grace period.
until [ $(( 0x$(sed -n 's/^SigCgt:.*\(....\)$/\1/p' /proc/1/status) & 0x4000 )) -ne 0 ]; do sleep 0.5; done
"""
"""Waits until the container's program has a handler for SIGTERM (signal 15, bit 14 of its mask of caught signals)."""


class Process(NamedTuple):
    """One background program of Frappe's."""

    part: str
    size: str
    arguments: list[str]
    grace: int
    """Seconds: a worker finishes its job on SIGTERM, so longer than its queue's time-out; a scheduler ignores it."""
    strategy: Manifest
    care: Manifest
    """Its probes and hooks. A container that has only run for some seconds has proved nothing: what it does then says
    that it works."""


ROLLING: Manifest = {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}}
ONE_AT_A_TIME: Manifest = {"type": "Recreate"}


def _scheduler() -> Manifest:
    return {"startupProbe": {**frappe.probe("scheduler-started"), **START}}


def _worker(queue: str) -> Manifest:
    """Probes of a worker that listens to this queue, perhaps among others, and what is awaited before it is ended."""
    return {
        "lifecycle": {"preStop": {"exec": {"command": ["sh", "-c", HEARS_SIGTERM]}}},
        "startupProbe": {**frappe.probe("worker-started", queue), **START},
        "livenessProbe": {**frappe.probe("worker-alive"), **ALIVE},
    }


PROCESSES = [
    Process("scheduler", "scheduler", ["schedule"], 5, ONE_AT_A_TIME, _scheduler()),
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
    """One Deployment a process."""
    return [_deployment(site, process) for process in PROCESSES]


def _deployment(site: Site, process: Process) -> Manifest:
    size = site.sizes[process.size]
    command = [frappe.PYTHON, "-m", "frappe.utils.bench_helper", "frappe", *process.arguments]
    program = frappe.container(
        site,
        process.part,
        command,
        size.resources,
        **process.care,
        volumeMounts=[*frappe.program_mounts(site), mount("runner", frappe.RUNNER, read_only=True)],
    )
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": metadata(site.owner, site.names.part(process.part), process.part),
        "spec": {
            "replicas": size.replicas,
            "minReadySeconds": STABLE_SECONDS,
            "selector": {"matchLabels": selector(site.owner, process.part)},
            "strategy": process.strategy,
            "template": template(
                site.owner,
                process.part,
                FRAPPE,
                frappe.pod(site, program, grace=process.grace),
                secret_revision=site.redis_revision,
            ),
        },
    }
