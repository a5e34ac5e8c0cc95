"""The scheduler: looks at every site once a tick and queues what is due. It runs no job itself."""

import datetime
import fcntl
import os
import sys
import time
import traceback

from frappe.conf import Conf, all_sites, bench_path, common_conf, site_conf
from frappe.database import Database, connected
from frappe.installer import single
from frappe.schema import add_row
from frappe.utils.background_jobs import NICENESS, enqueue

TICK = 60
ALL = 240
"""Seconds between two runs of a job with frequency All."""


def start_scheduler() -> None:
    """Tick for ever, unless another scheduler of the bench does: then return at once.

    As the first process of a container it does not notice SIGTERM, and neither does Frappe's. Raises OSError where
    the lock's file cannot be written.
    """
    os.nice(NICENESS)
    tick = int(common_conf().get("scheduler_tick_interval", TICK))
    lock = os.open(bench_path() / "config" / "scheduler_process", os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o644)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        return
    while True:
        time.sleep(tick)
        for site in all_sites():
            try:
                _enqueue_due(site)
            except Exception:  # One sick site must not stop the others.
                print(f"{site}: {traceback.format_exc()}", file=sys.stderr, flush=True)


def inactive_because(database: Database, conf: Conf) -> str | None:
    """Why nothing is scheduled in a site, None when it is."""
    for key in ("maintenance_mode", "pause_scheduler", "disable_scheduler"):
        if conf.get(key):
            return key
    if single(database, "System Settings", "enable_scheduler") != "1":
        return "enable_scheduler"
    return None


def _enqueue_due(site: str) -> None:
    conf = site_conf(site)
    with connected(conf, site) as database:
        if inactive_because(database, conf) or _sleeps(database):
            return
        interval = int(conf.get("scheduler_interval", ALL))
        due = database.sql(
            "SELECT name, method FROM `tabScheduled Job Type` WHERE stopped = 0 AND "
            "(last_execution IS NULL OR last_execution <= NOW(6) - INTERVAL %s SECOND)",
            interval,
        )
        for name, method in due:
            enqueue(site, method, "default")
            database.sql("UPDATE `tabScheduled Job Type` SET last_execution = NOW(6) WHERE name = %s", name)
            add_row(database, "Scheduled Job Log", status="Complete", scheduled_job_type=name)


def _sleeps(database: Database) -> bool:
    """A site nobody has logged in to for days runs its jobs once a day only."""
    now: datetime.datetime = database.value("SELECT NOW(6)")
    login = database.value("SELECT MAX(creation) FROM `tabActivity Log`")
    days = int(single(database, "System Settings", "dormant_days") or 4)
    if login and now - login < datetime.timedelta(days=days):
        return False
    last = database.value("SELECT MAX(creation) FROM `tabScheduled Job Log`")
    return bool(last) and now - last < datetime.timedelta(days=1)
