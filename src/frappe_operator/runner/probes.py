"""Probes: executed by the kubelet in a running container. Exit code 0 is success, any other a failure.

They write no report, because the termination log belongs to the main program of the container, and they import little,
because they run often.
"""

import datetime
import json
import os
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from . import paths, redis
from .outcome import Stopped

NOTE = Path(os.environ.get("NOTE", "/tmp/frappe-operator-worker"))
"""Key of the worker in Redis, noted when it started. Its hash is written again by each heartbeat, so that the key is
right even when Redis has lost its data, and with them the list of workers."""
SILENCE = 600
"""Seconds. An idle worker has a heartbeat every 405 s, one with a job every 30 s."""
STARTED = 30
"""Seconds. A scheduler without a lock (Frappe before 15.5x) that has run this long has begun its loop."""
TIMEOUT = 5.0
PATIENCE = 20.0
"""Seconds. Less than the kubelet's: what it waits for in vain is a failure to it."""


def main(argv: list[str]) -> int:
    """Runs one probe and prints why it fails; the kubelet copies the output into an Event."""
    name, *arguments = argv
    trouble = PROBES[name](*arguments)
    if trouble:
        print(trouble)
    return int(bool(trouble))


def worker_started(queue: str) -> str:
    """Why a worker counts as not started, because it has not registered in Redis; empty when it has."""
    began = time.time() - _age()
    try:
        with _queue() as ask:
            keys = ask("SMEMBERS", f"rq:workers:{_config()['bench_id']}:{queue}")
            for key in [each for each in keys if isinstance(each, bytes)] if isinstance(keys, list) else []:
                host = ask("HGET", key, "hostname")
                # An earlier process of this pod may not have been forgotten yet.
                if host == socket.gethostname().encode() and _time(ask("HGET", key, "birth")) >= began - 1:
                    NOTE.write_bytes(key)
                    return ""
    except (Stopped, OSError) as trouble:
        return f"Whether the worker has registered in Redis cannot be known: {trouble}"
    return "The worker has not registered in Redis"


def worker_alive(young: str = str(SILENCE)) -> str:
    """Why the worker counts as frozen: no heartbeat, though Redis can take one. Empty when that is not certain.

    `young`: seconds in which a process, and Redis after a start, are given time for a heartbeat.
    """
    if _age() < int(young) or not NOTE.exists():
        return ""
    try:
        with _success_after(PATIENCE), _queue() as ask:
            info = ask("INFO", "server")
            up = re.search(rb"uptime_in_seconds:(\d+)", info) if isinstance(info, bytes) else None
            if up is None or int(up[1]) < int(young) or ask("EXISTS", "rq:suspended"):
                return ""
            heartbeat = ask("HGET", NOTE.read_bytes(), "last_heartbeat")
    except (Stopped, OSError):
        return ""
    if time.time() - _time(heartbeat) < SILENCE:
        return ""
    return f"The worker has had no heartbeat in Redis for more than {SILENCE} seconds"


def scheduler_started() -> str:
    """Why a scheduler counts as not started, because it does not hold its lock; empty when it does."""
    held = (_target(file) for file in Path("/proc/1/fd").iterdir())
    if any(path.endswith("/config/scheduler_process") for path in held) or _age() >= STARTED:
        return ""
    return "The scheduler has not begun its loop"


PROBES: dict[str, Callable[..., str]] = {
    "worker-started": worker_started,
    "worker-alive": worker_alive,
    "scheduler-started": scheduler_started,
}


def _age() -> float:
    """Seconds since the start of the main program of the container."""
    up = float(Path("/proc/uptime").read_text().split()[0])
    # The name of the program, in brackets, may hold anything: what follows it does not.
    fields = Path("/proc/1/stat").read_text().rpartition(")")[2].split()
    return up - int(fields[19]) / os.sysconf("SC_CLK_TCK")


@contextmanager
def _success_after(seconds: float) -> Iterator[None]:
    """Ends the probe with success when the block takes longer. A name server that is away cannot be hurried."""
    timer = threading.Timer(seconds, os._exit, (0,))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _target(link: Path) -> str:
    try:
        return str(link.readlink())
    except OSError:
        return ""


def _time(written: redis.Answer) -> float:
    """Seconds since 1970 of a time as RQ writes it: never for none, now and for ever for one that is written anew."""
    if not isinstance(written, bytes):
        return float("-inf")
    try:
        return datetime.datetime.fromisoformat(written.decode().replace("Z", "+00:00")).timestamp()
    except ValueError:
        return float("inf")


def _config() -> dict[str, str]:
    config: dict[str, str] = json.loads((paths.SITES / "common_site_config.json").read_text(encoding="utf-8"))
    return config


def _queue() -> AbstractContextManager[redis.Ask]:
    return redis.connected(redis.server(_config()["redis_queue"]), TIMEOUT)
