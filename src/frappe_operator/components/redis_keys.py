"""The keys of a site in the Redis servers of its bench, and the Job that removes them when the site is deleted."""

from typing import NamedTuple

from frappe_operator.components.frappe import Task, bare_job
from frappe_operator.kube.names import child
from frappe_operator.kube.objects import Manifest
from frappe_operator.model.bench import Names
from frappe_operator.model.image import Image
from frappe_operator.model.owner import Owner

PART = "keys"


class Keys(NamedTuple):
    """Prefixes that distinguish the keys of one site from those of other sites."""

    site_name: str
    bench_ids: tuple[str, ...]
    """Prefixes of the queues of the site: the recorded one, or all possible ones when none is recorded."""
    database: str
    """Name of the database, the prefix of cached values; empty when it is not recorded."""


def drop(
    owner: Owner, image: Image, bench: Names, resources: Manifest, keys: Keys, *, queue: bool, cache: bool
) -> Manifest:
    """The Job that removes the keys of a site. It does not depend on the spec of the site. `queue`, `cache`: whether
    the server exists."""
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
    """Name of the Job that removes the keys of a site."""
    return child(site, "drop-keys")
