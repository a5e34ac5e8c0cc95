"""The Job that removes the cached asset names when the image of the bench or its app layers change.

Frappe caches the names of built assets in redis-cache under `assets_json` without an expiry: a pod that finds no entry
writes the names of its own image. The key does not contain the site, so that a pod of an earlier image writes for all.
"""

from frappe_operator.components.frappe import Task, bare_job
from frappe_operator.kube.objects import Manifest
from frappe_operator.model.site import Site

PART = "assets"


def renew(site: Site) -> list[Manifest]:
    """The Job that removes the cached asset names, one per release."""
    arguments = ["drop-assets", f"--redis-cache-host={site.bench.redis_cache}"]
    task = Task(site.names.assets(site.assets_key), PART, arguments, "")
    return [bare_job(site.owner, site.image, site.bench, task, site.jobs, {"redis": site.bench.redis})]
