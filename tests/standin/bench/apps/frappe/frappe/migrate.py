"""Bringing a site up to the apps of the bench. Not a transaction: what fails leaves the site part-way."""

import redis

from frappe import installer, schema
from frappe.conf import Conf, sites_path
from frappe.database import connected
from frappe.failure import Failing
from frappe.locking import filelock
from frappe.utils.background_jobs import enqueue


def _tell(patch: str, site: str, conf: Conf, failing: Failing) -> None:
    if patch:
        print(f"Executing {patch} in {site} ({conf['db_name']})", flush=True)
    else:
        failing.at("in-a-patch")
        print("Success: Done in 0.001s", flush=True)


def migrate_site(site: str, conf: Conf, search_index: bool) -> None:
    """Migrate one site. Raises when Redis or the database is away, a patch fails, or another migration runs."""
    cache = redis.from_url(conf["redis_cache"])
    cache.ping()
    failing = Failing("migrate", site, conf)
    with filelock(sites_path() / site / "locks", "bench_migrate"), connected(conf, site) as database:
        failing.at("before-patches")
        apps = installer.installed_apps(database)
        for app in apps:
            schema.run_patches(database, app, lambda patch: _tell(patch, site, conf, failing))
        failing.at("after-patches")
        for app in apps:
            schema.sync(database, app)
        failing.at("after-schema")
        database.sql("DELETE FROM `tabInstalled Application`")
        for number, app in enumerate(apps, 1):
            version = schema.import_module(app).__version__
            row = {"app_name": app, "app_version": version, "git_branch": "version-15", "idx": number}
            schema.add_row(database, "Installed Application", **row)
    cache.delete("assets_json")
    failing.at("after-migrate")
    if search_index:
        print(f"Queued rebuilding of search index for {site}")
        enqueue(site, "frappe.standin.trace", "long", marker="search-index", source="long")
