"""The templates of a bench, which new sites are copied from.

They are made in the background, one after the other, once the image is inspected and MariaDB is available. They are no
part of Ready, and no site waits for them: without a template it is created the long way.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from frappe_operator.api.kinds import SITE
from frappe_operator.bench.observe import Observed
from frappe_operator.components import template as component
from frappe_operator.kube.kinds import JOB, STATEFUL_SET
from frappe_operator.kube.live import Job
from frappe_operator.kube.readiness import succeeded
from frappe_operator.kube.reasons import Reason
from frappe_operator.kube.stage import LiveChildren, Stage, Verdict
from frappe_operator.kube.view import View
from frappe_operator.model import host_claims, job_reports
from frappe_operator.model import template as model
from frappe_operator.model.bench import Bench
from frappe_operator.model.template import Recorded, Template

CONDITION = "Templates"
"""Name of the stage. It is no condition of the bench: see `status` for what is reported instead."""

LOST = "The report of the Job is lost; a site that finds no template is created without one."


class Templates(NamedTuple):
    """The desired templates of a bench, and what there is of each."""

    desired: Sequence[Template] = ()
    jobs: Mapping[str, Job] = {}
    """The existing Jobs, by the key of the template."""
    states: Mapping[str, Recorded] = {}
    """The state of each template that has a Job, by its key."""


async def observe(cluster: View, bench: Bench, observed: Observed) -> Templates:
    """The desired templates and their state. Templates are desired while MariaDB is available, or once they have
    Jobs."""
    facts, namespace = bench.facts, bench.owner.namespace
    if facts is None or not bench.mariadb_needed or not model.enabled(observed.spec):
        return Templates()
    sites = cluster.select(SITE, host_claims.BENCH_INDEX, f"{namespace}/{bench.owner.name}")
    desired = model.templates(facts, bench.apps, sites)
    names = {each.key: model.job_name(bench.owner.name, each) for each in desired}
    jobs = {key: job for key, name in names.items() if (job := cluster.get(JOB, namespace, name)) is not None}
    server = cluster.get(STATEFUL_SET, namespace, bench.names.mariadb)
    available = server is not None and server.status.ready_replicas > 0
    missing = any(app not in facts.apps for app in bench.apps)
    if not jobs and (not available or not facts.describes(bench.image) or missing):
        return Templates()
    last = model.recorded(observed.live)
    states = {each.key: await _state(cluster, each, jobs[each.key], last) for each in desired if each.key in jobs}
    return Templates(desired, jobs, states)


async def _state(cluster: View, template: Template, job: Job, last: Mapping[str, Recorded]) -> Recorded:
    """The state of a template from the report of its Job, which is read once."""
    known = Recorded(template.key, template.image, template.apps)
    namespace, name = job.metadata.namespace, job.metadata.name
    if not succeeded(job):
        found = job_reports.reports(job_reports.pods_of_job(cluster, namespace)(name)).get(name)
        why = f": {found.message}" if found is not None and not found.ok else ""
        return msgspec.structs.replace(known, state="Making", message=f"Job {name} is running{why}")
    before = last.get(template.key)
    if before is not None and before.state in (model.READY, "Failed"):
        return msgspec.structs.replace(known, state=before.state, message=before.message)
    for report, _ in await job_reports.of_completed(cluster, namespace, name):
        if report.reason != Reason.SUCCEEDED:
            message = f"{report.reason}: {report.message}. Delete Job {name} to try again"
            return msgspec.structs.replace(known, state="Failed", message=message)
        return msgspec.structs.replace(known, state=model.READY)
    return msgspec.structs.replace(known, state=model.READY, message=LOST)


def stage(bench: Bench, templates: Templates) -> Stage:
    """The Jobs of the templates: those that exist, and the next one when all of them have succeeded."""
    jobs = [job for each in _with_job(templates) for job in component.make(bench, each, templates.desired)]
    return Stage(CONDITION, [], _always, once=jobs, after=())


def _with_job(templates: Templates) -> list[Template]:
    chosen = [each for each in templates.desired if each.key in templates.jobs]
    if all(succeeded(job) for job in templates.jobs.values()):
        chosen += [each for each in templates.desired if each.key not in templates.jobs][:1]
    return chosen


def _always(_: LiveChildren) -> Verdict:
    return Verdict(True, Reason.READY, "")


def status(bench: Bench, templates: Templates, applied: Verdict) -> dict[str, Any]:
    """The field `templates` of the status. `applied`: the verdict of `stage`, which is false when a Job is refused."""
    started = {each.key for each in _with_job(templates)}

    def reported(template: Template) -> Recorded:
        known = Recorded(template.key, template.image, template.apps)
        if template.key in templates.states:
            return templates.states[template.key]
        if template.key not in started:
            return msgspec.structs.replace(known, state="Pending", message="Waiting for the templates before it")
        if not applied.ok:
            return msgspec.structs.replace(known, state="Pending", message=applied.message)
        message = f"Job {model.job_name(bench.owner.name, template)} is running"
        return msgspec.structs.replace(known, state="Making", message=message)

    return {"templates": [_without_empty(reported(each)) for each in templates.desired] or None}


def _without_empty(recorded: Recorded) -> dict[str, Any]:
    return {name: value for name, value in msgspec.to_builtins(recorded).items() if value}
