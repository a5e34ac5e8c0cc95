"""Jobs: put into the queues of a bench_id, and done by workers of the same."""

import os
import time
import uuid
from importlib import import_module
from typing import Any

import redis
from rq import Queue, Worker

from frappe.conf import Conf, bench_id, common_conf, site_conf
from frappe.database import connected

TIMEOUTS = {"short": 300, "default": 300, "long": 1500}
TRIES = 5
NICENESS = 10


def timeouts(conf: Conf) -> dict[str, int]:
    """Each queue there is, with the seconds a job of it may take."""
    own = {name: int(worker.get("timeout", 300)) for name, worker in conf.get("workers", {}).items()}
    return TIMEOUTS | own


def queue_name(conf: Conf, queue: str) -> str:
    """The queue's name in Redis: `<bench_id>:<queue>`. Raises ValueError for a queue there is none of."""
    if queue not in timeouts(conf):
        raise ValueError(f"Queue should be one of {', '.join(timeouts(conf))}")
    return f"{bench_id(conf)}:{queue}"


def enqueue(site: str, method: str, queue: str = "default", job_id: str | None = None, **arguments: Any) -> str:
    """Queue `method` for a site and return the job's id, `<site>::<uuid>`; bench_id is the site's own."""
    conf = site_conf(site)
    connection = redis.from_url(conf["redis_queue"])
    identity = f"{site}::{job_id or uuid.uuid4()}"
    Queue(queue_name(conf, queue), connection=connection).enqueue_call(
        "frappe.utils.background_jobs.execute_job",
        kwargs={"site": site, "method": method, "arguments": arguments},
        timeout=timeouts(conf)[queue],
        result_ttl=int(conf.get("rq_results_ttl", 600)),
        failure_ttl=int(conf.get("rq_job_failure_ttl", 7 * 24 * 3600)),
        job_id=identity,
    )
    return identity


def execute_job(site: str, method: str, arguments: dict[str, Any]) -> None:
    """What a worker runs. Raises IncorrectSitePath when this worker's bench has no such site."""
    with connected(site_conf(site), site):
        pass  # A job of a site whose database is away fails before it does anything.
    module, _, function = method.rpartition(".")
    getattr(import_module(module), function)(site=site, **arguments)


def pending(site: str) -> int:
    """How many jobs of a site wait in its queues; the one being done is not counted."""
    conf = site_conf(site)
    connection = redis.from_url(conf["redis_queue"])
    waiting = [Queue(queue_name(conf, queue), connection=connection) for queue in timeouts(conf)]
    identities = [identity for queue in waiting for identity in queue.job_ids]
    return sum(identity.startswith(f"{site}::") for identity in identities)


def start_worker(queues: list[str], burst: bool, quiet: bool) -> None:
    """Work until told to stop; finishes the job in hand on SIGTERM.

    Raises ValueError for an unknown queue, and redis.ConnectionError after five tries, a second apart.
    """
    os.nice(NICENESS)
    # No site yet: the worker knows only what the bench says.
    conf = common_conf()
    names = [queue_name(conf, queue) for queue in queues or TIMEOUTS]
    connection = redis.from_url(conf["redis_queue"])
    for left in reversed(range(TRIES)):
        try:
            connection.ping()
            break
        except redis.ConnectionError:
            if not left:
                raise
            time.sleep(1)
    worker = Worker([Queue(name, connection=connection) for name in names], connection=connection)
    worker.work(burst=burst, logging_level="WARNING" if quiet else "INFO")
