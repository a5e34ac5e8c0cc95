"""What a site has in its bench's Redis servers, and the Job that removes it when the site is deleted."""

from typing import NamedTuple

from frappe_operator.components.frappe import Task, bare_job
from frappe_operator.kube.names import child
from frappe_operator.kube.objects import Manifest
from frappe_operator.model.bench import Names
from frappe_operator.model.image import Image
from frappe_operator.model.owner import Owner

PART = "keys"


class Keys(NamedTuple):
    """How the keys of one site are told from its neighbours'."""

    site_name: str
    bench_ids: tuple[str, ...]
    """Prefixes of its queues: one, or those it may have had when nothing is left that says which."""
    database: str
    """Prefix of its cached values; empty when it is not known."""


def drop(
    owner: Owner, image: Image, bench: Names, resources: Manifest, keys: Keys, *, queue: bool, cache: bool
) -> Manifest:
    """The Job that removes a site's keys from the servers that exist. Needs nothing valid of the site's spec."""
    arguments = [
        "drop-keys",
        f"--site={keys.site_name}",
        f"--bench-ids={','.join(keys.bench_ids)}",
        f"--database={keys.database}",
        f"--redis-queue-host={bench.redis_queue if queue else ''}",
        f"--redis-cache-host={bench.redis_cache if cache else ''}",
    ]
    task = Task(drop_name(owner.name), PART, arguments, "")
    return bare_job(owner, image, bench, task, resources, {"redis": bench.redis})


def drop_name(site: str) -> str:
    """Name of that Job."""
    return child(site, "drop-keys")
