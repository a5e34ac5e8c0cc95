"""Which built assets Frappe's pages name, and the Job that has this read anew when the bench has another image.

Frappe caches the names in the bench's redis-cache under `assets_json`, without an end: whoever finds nothing there
writes down what its own image has. The key has no site in it, so pods of an earlier image answer for all.
"""

from frappe_operator.components.frappe import Task, bare_job
from frappe_operator.kube.objects import Manifest
from frappe_operator.model.site import Site

PART = "assets"


def renew(site: Site, *, last: bool) -> list[Manifest]:
    """The Job that removes the names, for each image. `last`: no pod is left that could write those of another."""
    arguments = ["drop-assets", f"--redis-cache-host={site.bench.redis_cache}"]
    names = site.names
    task = Task(names.assets(site.image.key) if last else names.assets_meanwhile(site.image.key), PART, arguments, "")
    return [bare_job(site.owner, site.image, site.bench, task, site.jobs, {"redis": site.bench.redis})]
