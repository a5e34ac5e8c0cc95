"""Jobs that are complete, and whose report is lost with their pods."""

from datetime import datetime

from frappe_operator.kube.kinds import JOB
from frappe_operator.kube.live import Job
from frappe_operator.runtime.cluster import Cluster

REPORT_SECONDS = 30.0
"""How long after the completion of a Job its report may be missing from the cache before it counts as lost."""


async def rerun_lost(cluster: Cluster, job: Job) -> float | None:
    """Deletes a completed Job whose report is lost, so that it is created again: a second run finds its work done.

    Waits REPORT_SECONDS after the Job's completion: a Job that never reports must not be repeated without a pause.
    Returns the seconds after which to requeue, None when the Job was deleted.
    """
    meta = job.metadata
    wait = datetime.fromisoformat(job.completed).timestamp() + REPORT_SECONDS - cluster.clock()
    if wait > 0:
        return wait
    await cluster.delete(JOB, meta.namespace, meta.name, meta.uid)
    return None
