"""The probes of workers, by the data in Redis."""

import json
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from frappe_operator.runner import paths, probes, redis
from frappe_operator.runner.outcome import Retry

KEY = b"rq:worker:7f3a"


def written(seconds_ago: float) -> bytes:
    """A time in the format of RQ."""
    return datetime.fromtimestamp(time.time() - seconds_ago, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ").encode()


class Pod:
    """A pod of a worker, and its Redis."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.age = 3600.0
        self.up = 3600
        self.trouble: Exception | None = None
        self.suspended = 0
        self.hashes: dict[bytes, dict[str, bytes]] = {}
        (root / "common_site_config.json").write_text(
            json.dumps({"bench_id": "berth", "redis_queue": "redis://:open@queue:6379/0"})
        )
        self.note = root / "note"
        monkeypatch.setattr(paths, "SITES", root)
        monkeypatch.setattr(probes, "NOTE", self.note)
        monkeypatch.setattr(probes, "_age", lambda: self.age)
        monkeypatch.setattr(redis, "connected", self.connected)

    def registered(self, key: bytes = KEY, *, host: str = socket.gethostname(), ago: float = 5) -> None:
        now = written(ago)
        self.hashes[key] = {"hostname": host.encode(), "birth": now, "last_heartbeat": now}

    @contextmanager
    def connected(self, server: redis.Server, timeout: float) -> Iterator[redis.Ask]:
        assert (server.host, server.password) == ("queue", "open")
        if self.trouble:
            raise self.trouble
        yield self.answer

    def answer(self, command: str, *words: str | bytes) -> redis.Answer:
        match command, *words:
            case "SMEMBERS", "rq:workers:berth:long":
                return list(self.hashes)
            case "HGET", bytes(key), str(field):
                return self.hashes.get(key, {}).get(field)
            case "INFO", "server":
                return f"# Server\r\nuptime_in_seconds:{self.up}\r\nuptime_in_days:0\r\n".encode()
            case "EXISTS", "rq:suspended":
                return self.suspended
        raise AssertionError((command, words))


@pytest.fixture
def pod(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Pod:
    return Pod(tmp_path, monkeypatch)


def test_a_worker_has_started_when_it_is_among_those_of_its_queue(pod: Pod) -> None:
    pod.age = 20
    assert probes.worker_started("long")
    pod.registered(b"rq:worker:other", host="another-pod")
    assert probes.worker_started("long")
    pod.registered()
    assert probes.worker_started("long") == ""
    assert pod.note.read_bytes() == KEY


def test_an_earlier_process_of_the_pod_proves_nothing(pod: Pod) -> None:
    pod.age = 20
    pod.registered(ago=300)
    assert probes.worker_started("long")
    assert not pod.note.exists()


def test_a_worker_has_not_started_while_redis_does_not_answer(pod: Pod) -> None:
    pod.registered()
    pod.trouble = Retry("RedisUnavailable", "Redis at queue:6379 cannot be reached: timed out")
    assert "cannot be reached" in probes.worker_started("long")


def test_a_worker_without_a_heartbeat_is_frozen(pod: Pod) -> None:
    pod.note.write_bytes(KEY)
    pod.registered(ago=590)
    assert probes.worker_alive() == ""
    pod.registered(ago=610)
    assert "no heartbeat" in probes.worker_alive()
    pod.hashes.clear()
    assert "no heartbeat" in probes.worker_alive()


def test_a_worker_is_known_by_its_key_alone_after_redis_has_lost_its_data(pod: Pod) -> None:
    pod.note.write_bytes(KEY)
    pod.hashes[KEY] = {"last_heartbeat": written(30)}
    assert probes.worker_alive() == ""


@pytest.mark.parametrize("trouble", [Retry("RedisUnavailable", "gone"), redis.Refused("NOAUTH"), OSError("no file")])
def test_a_worker_is_not_to_blame_for_redis(pod: Pod, trouble: Exception) -> None:
    pod.note.write_bytes(KEY)
    pod.trouble = trouble
    assert probes.worker_alive() == ""


def test_what_takes_too_long_is_no_failure(pod: Pod, monkeypatch: pytest.MonkeyPatch) -> None:
    ended = threading.Event()
    codes: list[int] = []

    def leave(code: int) -> None:
        codes.append(code)
        ended.set()

    @contextmanager
    def hangs(server: redis.Server, timeout: float) -> Iterator[redis.Ask]:
        assert ended.wait(60)
        yield pod.answer

    pod.note.write_bytes(KEY)
    monkeypatch.setattr(probes, "PATIENCE", 0.01)
    monkeypatch.setattr(os, "_exit", leave)
    monkeypatch.setattr(redis, "connected", hangs)
    probes.worker_alive()
    assert codes == [0]


def test_neither_a_young_worker_nor_a_young_redis_proves_anything(pod: Pod) -> None:
    pod.note.write_bytes(KEY)
    pod.age = 590
    assert probes.worker_alive() == ""
    pod.age, pod.up = 610, 590
    assert probes.worker_alive() == ""
    pod.up = 610
    assert probes.worker_alive()


def test_suspended_workers_have_no_heartbeat_and_are_left_alone(pod: Pod) -> None:
    pod.note.write_bytes(KEY)
    pod.suspended = 1
    assert probes.worker_alive() == ""


def test_times_that_are_written_in_another_way_accuse_nobody(pod: Pod) -> None:
    pod.note.write_bytes(KEY)
    pod.hashes[KEY] = {"last_heartbeat": b"yesterday"}
    assert probes.worker_alive() == ""


def test_a_probe_that_fails_says_why(pod: Pod, capsys: pytest.CaptureFixture[str]) -> None:
    pod.note.write_bytes(KEY)
    assert probes.main(["worker-alive"]) == 1
    assert "no heartbeat" in capsys.readouterr().out
    pod.up = 3
    assert probes.main(["worker-alive"]) == 0
    assert capsys.readouterr().out == ""
