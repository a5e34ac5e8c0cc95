"""`drop-keys`: the keys of a deleted site are deleted, and those of other sites are not."""

import io
import re
import socketserver
import threading
from collections.abc import Iterator

import pytest

from frappe_operator.runner import redis

from .pod import Pod

SITE = "shop.example.com"
Value = dict[str, str] | set[str]


class Redis(socketserver.ThreadingTCPServer):
    """A fake Redis with the few commands that are used, and the password of the pod's Secret."""

    allow_reuse_address = daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Connection)
        self.keys: dict[str, Value] = {}

    def answer(self, command: str, *words: str) -> bytes:
        match command, words:
            case "AUTH", ["redis/p@ss"]:
                return b"+OK\r\n"
            case "SCAN", [_, "MATCH", pattern, "COUNT", _]:
                found = [key for key in self.keys if matching(pattern).fullmatch(key)]
                return b"*2\r\n$1\r\n0\r\n" + redis.encode(*found)
            case "SMEMBERS", [key]:
                return redis.encode(*sorted(self.keys.get(key, ())))
            case "SREM", [key, member]:
                members = self.keys.get(key, set())
                assert isinstance(members, set)
                members.discard(member)
                return b":1\r\n"
            case "HGET", [key, field]:
                value = self.keys[key]
                if not isinstance(value, dict):
                    return b"-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"
                return redis.encode(value[field]).partition(b"\r\n")[2] if field in value else b"$-1\r\n"
            case "UNLINK", _:
                return b":%d\r\n" % sum(self.keys.pop(key, None) is not None for key in words)
        return b"-ERR unknown command\r\n"


class Connection(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        assert isinstance(self.server, Redis)
        while head := self.rfile.readline():
            lines = head + b"".join(self.rfile.readline() for _ in range(2 * int(head[1:])))
            words = redis.decode(io.BytesIO(lines))
            assert isinstance(words, list)
            self.wfile.write(self.server.answer(*(str(each, "utf-8") for each in words if isinstance(each, bytes))))


def matching(pattern: str) -> "re.Pattern[str]":
    """The regular expression of a Redis pattern with `*`, `?` and backslash; an unescaped bracket is an error here."""
    parts = re.findall(r"\\.|.", pattern)
    assert not {"[", "]"} & set(parts)
    return re.compile("".join({"*": ".*", "?": "."}.get(part, re.escape(part[-1])) for part in parts))


@pytest.fixture
def server(pod: Pod) -> Iterator[Redis]:
    with Redis() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        pod.environment["REDIS_PORT"] = str(server.server_address[1])
        yield server
        server.shutdown()


def drop(*bench_ids: str, database: str = "_a*[b]", queue: str = "127.0.0.1", cache: str = "127.0.0.1") -> list[str]:
    flags = [f"--site={SITE}", f"--bench-ids={','.join(bench_ids)}", f"--database={database}"]
    return ["drop-keys", *flags, f"--redis-queue-host={queue}", f"--redis-cache-host={cache}"]


def queue_of(bench_id: str, job: str) -> dict[str, Value]:
    """The keys that RQ has for a queue with one job."""
    queue, key = f"{bench_id}:short", f"{SITE}::{job}"
    registries: dict[str, Value] = {f"rq:{word}:{queue}": {key} for word in ("queue", "wip", "failed", "finished")}
    job_keys: dict[str, Value] = {
        f"rq:job:{key}": {"origin": queue},
        f"rq:job:{key}:dependents": {"x"},
        f"rq:results:{key}": {"x"},
    }
    worker = f"rq:worker:{bench_id}"
    return registries | job_keys | {f"rq:workers:{queue}": {worker}, worker: {"state": "busy"}}


def filled(server: Redis) -> dict[str, Value]:
    """Fills a server with the keys of a site and of its neighbours. Returns those that must remain."""
    neighbours = queue_of("shop", "one") | queue_of("shop-00000000x", "two") | {"rq:job:other::three": {"origin": "x"}}
    # A neighbour of the same siteName, a key of another type, and what a pattern could take for ours.
    neighbours |= {f"rq:job:{SITE}::odd": {"x"}, "_ab|session": {"x"}, "_axxb|session": {"x"}, "assets_json": {"x"}}
    shared: dict[str, set[str]] = {
        "rq:queues": {"rq:queue:shop:short", "rq:queue:shop-00000000x:short"},
        "rq:workers": {"rq:worker:shop", "rq:worker:shop-00000000x"},
    }
    server.keys = neighbours | queue_of("shop-00000000", "mine") | {"_a*[b]|session": {"x"}}
    server.keys |= {
        "rq:queues": shared["rq:queues"] | {"rq:queue:shop-00000000:short"},
        "rq:workers": shared["rq:workers"] | {"rq:worker:shop-00000000"},
    }
    return neighbours | shared


def test_all_that_is_the_sites_goes_and_all_that_is_its_neighbours_stays(pod: Pod, server: Redis) -> None:
    rest = filled(server)
    ended = pod.run(*drop("shop-00000000"))
    assert ended.code == 0, ended.output
    assert server.keys == rest


def test_a_server_that_does_not_exist_is_not_contacted(pod: Pod, server: Redis) -> None:
    filled(server)
    assert pod.run(*drop("shop-00000000", queue="", cache="")).code == 0
    assert "_a*[b]|session" in server.keys
    assert pod.run(*drop("shop-00000000", queue="")).code == 0
    assert "_a*[b]|session" not in server.keys
    assert "rq:queue:shop-00000000:short" in server.keys


def test_without_the_name_of_a_database_no_cached_value_is_touched(pod: Pod, server: Redis) -> None:
    server.keys = {"|session": {"x"}, "_b|session": {"x"}}
    assert pod.run(*drop("shop-00000000", database="")).code == 0
    assert set(server.keys) == {"|session", "_b|session"}


def test_while_redis_is_away_it_is_tried_again(pod: Pod, server: Redis) -> None:
    server.shutdown()
    server.server_close()
    ended = pod.run(*drop("shop-00000000"))
    assert (ended.code, ended.reason) == (1, "RedisUnavailable")


def test_the_names_of_assets_are_dropped_and_nothing_else(pod: Pod, server: Redis) -> None:
    server.keys = {"assets_json": {"x"}, "_b|assets_json": {"x"}}
    assert pod.run("drop-assets", "--redis-cache-host=127.0.0.1").code == 0
    assert set(server.keys) == {"_b|assets_json"}
