"""Commands about jobs: the scheduler's switch, the scheduler, the worker."""

import json
import sys

import click

from frappe.commands import Asked, asked
from frappe.conf import sites_path, write_key
from frappe.database import connected
from frappe.exceptions import FrappeError
from frappe.installer import set_single
from frappe.logs import open_log
from frappe.utils import background_jobs
from frappe.utils.scheduler import inactive_because, start_scheduler


@click.command("enable-scheduler")
@asked
def enable_scheduler(asked: Asked) -> None:
    """Enable the scheduler of a site"""
    _switch(asked, "enable")


@click.command("disable-scheduler")
@asked
def disable_scheduler(asked: Asked) -> None:
    """Disable the scheduler of a site"""
    _switch(asked, "disable")


@click.command("scheduler")
@click.argument("state", type=click.Choice(["pause", "resume", "disable", "enable", "status"]))
@click.option("--format", "-f", "form", default="text", type=click.Choice(["text", "json"]))
@click.option("--verbose", "-v", is_flag=True)
@asked
def scheduler(asked: Asked, state: str, form: str, verbose: bool) -> None:
    """Control the scheduler of a site"""
    if state != "status":
        _switch(asked, state)
        return
    for site, conf in asked.each():
        with connected(conf, site) as database:
            reason = inactive_because(database, conf)
        status = (
            "disabled" if reason in ("enable_scheduler", "disable_scheduler") else "paused" if reason else "enabled"
        )
        shown = {"site": site, "status": status}
        print(json.dumps(shown) if form == "json" else f"Scheduler is {status} for site {site}")


def _switch(asked: Asked, state: str) -> None:
    for site, conf in asked.each():
        if state in ("pause", "resume"):
            write_key(sites_path() / site / "site_config.json", "pause_scheduler", int(state == "pause"))
        else:
            with connected(conf, site) as database:
                set_single(database, "System Settings", "enable_scheduler", str(int(state == "enable")))
        print(f"{state.capitalize().removesuffix('e')}ed for {site}")


@click.command("schedule")
def schedule() -> None:
    """Queue what is due, for ever"""
    open_log(None)
    start_scheduler()


@click.command("worker")
@click.option("--queue", default="")
@click.option("--quiet", is_flag=True)
@click.option("--burst", is_flag=True)
@click.option("--rq-username", "-u")
@click.option("--rq-password", "-p")
@click.option("--strategy", type=click.Choice(["round_robin", "random"]))
def worker(
    queue: str, quiet: bool, burst: bool, rq_username: str | None, rq_password: str | None, strategy: str | None
) -> None:
    """Do jobs, for ever"""
    if rq_username or rq_password or strategy:
        raise FrappeError("stand-in: no ACL users, no strategies")
    open_log(None)
    background_jobs.start_worker([one for one in queue.split(",") if one], burst, quiet)


@click.command("ready-for-migration")
@asked
def ready_for_migration(asked: Asked) -> None:
    """End with 1 when a site has jobs waiting"""
    for site, _ in asked.each():
        waiting = background_jobs.pending(site)
        if waiting:
            print(f"NOT READY for migration: site {site} has pending background jobs")
            sys.exit(1)
        print(f"READY for migration: site {site} does not have any background jobs")
