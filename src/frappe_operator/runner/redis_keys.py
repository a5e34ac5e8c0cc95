"""`drop-keys`: deletes the keys of a deleted site from the bench's Redis servers. `drop-assets`: deletes the cached
asset names of an earlier image.

All sites of a bench share the servers. Queues are identified by `bench_id`, a prefix that is unique to the site; jobs
by the queue that they came from, because the site name in their keys may also be that of another site; cached values by
the name of the database.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Any, cast

from . import credentials, paths, redis
from .log import say

TIMEOUT = 30
"""Seconds to wait for a response."""

BATCH = 500
QUEUE_KEYS = (
    *("queue", "wip", "finished", "failed", "deferred", "scheduled", "canceled"),
    *("workers", "clean_registries", "scheduler-lock"),
)
"""Kinds of keys that RQ has for a queue, as `rq:<kind>:<queue>`."""
JOB_PARTS = (":dependents", ":dependencies")
"""Suffixes of the further keys that RQ has for a job."""


def drop(
    site: str, bench_ids: list[str], database: str, redis_queue_host: str, redis_cache_host: str
) -> dict[str, Any]:
    """Deletes the site's keys on the given servers. Raises Retry while one of them cannot be reached."""
    dropped = 0
    if redis_queue_host:
        with redis.connected(_server(redis_queue_host), TIMEOUT) as ask:
            dropped += sum(_drop_queues(ask, site, bench_id) for bench_id in bench_ids)
    if redis_cache_host and database:
        with redis.connected(_server(redis_cache_host), TIMEOUT) as ask:
            dropped += _unlink(ask, _scan(ask, f"{_literally(database)}|*"))
    say(f"Removed {dropped} keys of the site")
    return {"keys": dropped}


def drop_cached(server: redis.Server, database: str) -> None:
    """Deletes all that a site has cached. Raises Retry."""
    with redis.connected(server, TIMEOUT) as ask:
        _unlink(ask, _scan(ask, f"{_literally(database)}|*"))
        ask("UNLINK", "assets_json")


def forget(server: redis.Server, database: str) -> None:
    """Deletes the cached values of the site with this database. Raises Retry while the server cannot be reached."""
    with redis.connected(server, TIMEOUT) as ask:
        _unlink(ask, _scan(ask, f"{_literally(database)}|*"))


def drop_assets(redis_cache_host: str) -> dict[str, Any]:
    """Deletes the cached names of built assets. The next page caches those of its own image. Raises Retry."""
    with redis.connected(_server(redis_cache_host), TIMEOUT) as ask:
        # A pickle of whoever wrote it: it is never read here, and a correct one is as quickly written again.
        ask("UNLINK", "assets_json")
    return {}


def _server(host: str) -> redis.Server:
    return redis.Server(host, paths.REDIS_PORT, credentials.redis_password())


def _drop_queues(ask: redis.Ask, site: str, bench_id: str) -> int:
    """Deletes the queues with this prefix, their registries and workers, and the jobs that came from them."""
    prefix = f"{bench_id}:".encode()
    queues = f"{_literally(bench_id)}:*"
    for key in list(_scan(ask, f"rq:workers:{queues}")):
        # A worker that was killed did not sign off.
        for worker in cast("list[bytes]", ask("SMEMBERS", key)):
            ask("SREM", "rq:workers", worker)
            ask("UNLINK", worker)
    dropped = _unlink(ask, _jobs(ask, site, prefix))
    for word in QUEUE_KEYS:
        dropped += _unlink(ask, _scan(ask, f"rq:{word}:{queues}"))
    for queue in cast("list[bytes]", ask("SMEMBERS", "rq:queues")):
        if queue.startswith(b"rq:queue:" + prefix):
            ask("SREM", "rq:queues", queue)
    return dropped


def _jobs(ask: redis.Ask, site: str, prefix: bytes) -> Iterator[bytes]:
    """The keys of the jobs that came from the queues with this prefix."""
    start = b"rq:job:"
    for key in _scan(ask, f"rq:job:{_literally(site)}::*"):
        if key.endswith(tuple(part.encode() for part in JOB_PARTS)):
            continue
        if (_origin(ask, key) or b"").startswith(prefix):
            identity = key[len(start) :]
            yield from (key + part.encode() for part in JOB_PARTS)
            yield from (b"rq:results:" + identity, b"rq:executions:" + identity)
            # Last: while it is there, a run that is interrupted finds the others.
            yield key


def _origin(ask: redis.Ask, job: bytes) -> bytes | None:
    try:
        return cast("bytes | None", ask("HGET", job, "origin"))
    except redis.Refused as refused:
        if refused.code != "WRONGTYPE":
            raise
        return None


def _scan(ask: redis.Ask, pattern: str) -> Iterator[bytes]:
    """The keys that match a pattern, with possible duplicates. SCAN blocks the server briefly for each page, KEYS for
    the whole search."""
    cursor = b"0"
    while True:
        cursor, keys = cast("tuple[bytes, list[bytes]]", ask("SCAN", cursor, "MATCH", pattern, "COUNT", 1000))
        yield from keys
        if cursor == b"0":
            return


def _unlink(ask: redis.Ask, keys: Iterable[bytes]) -> int:
    """Deletes keys. Returns their number."""
    batch: list[bytes] = []
    dropped = 0
    for key in keys:
        batch.append(key)
        if len(batch) == BATCH:
            dropped += cast(int, ask("UNLINK", *batch))
            batch = []
    return dropped + (cast(int, ask("UNLINK", *batch)) if batch else 0)


def _literally(text: str) -> str:
    """Text with the special characters of Redis patterns escaped."""
    return re.sub(r"([\\*?\[\]^-])", r"\\\1", text)
