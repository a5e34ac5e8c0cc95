"""What a deleted site leaves in a real Redis that RQ has filled: nothing, and nothing of its neighbours' is missed."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from tests.standin.bench_under_test import PYTHON, Bench
from tests.standin.rootfs import SERVER, Rootfs, eventually, free_port
from tests.standin.test_background import done
from tests.standin.test_with_the_runner import install_runner

SITE = "shop.example"
PASSWORD = "open sesame"


@dataclass
class Redis:
    """A Redis with a password, queue and cache at once."""

    rootfs: Rootfs
    port: int

    def __call__(self, *words: str) -> list[str]:
        argv = ["redis-cli", "-p", str(self.port), "--no-auth-warning", *words]
        ran = self.rootfs.run(argv, env={"REDISCLI_AUTH": PASSWORD})
        assert ran.returncode == 0, ran.stderr
        return ran.stdout.splitlines()

    def everything(self) -> set[str]:
        return {*self("KEYS", "*"), *self("SMEMBERS", "rq:queues"), *self("SMEMBERS", "rq:workers")}

    @property
    def common(self) -> dict[str, str]:
        """For common_site_config.json."""
        url = f"redis://:{PASSWORD.replace(' ', '%20')}@127.0.0.1:{self.port}/0"
        return {"redis_cache": url, "redis_queue": url}


@pytest.fixture
def redis(rootfs: Rootfs) -> Iterator[Redis]:
    server = Redis(rootfs, free_port())
    argv = ["redis-server", "--port", str(server.port), "--bind", "127.0.0.1", "--requirepass", PASSWORD, "--save", ""]
    with rootfs.running(argv, user=SERVER, folder="/data"):
        ping = ["redis-cli", "-p", str(server.port), "ping"]
        eventually(lambda: "PONG" in rootfs.run(ping, env={"REDISCLI_AUTH": PASSWORD}).stdout, "Redis answers")
        yield server


def enqueue(bench: Bench, marker: str, site: str = SITE) -> None:
    code = "import sys; from frappe.utils.background_jobs import enqueue; enqueue(*sys.argv[1:3], 'short', "
    code += "marker=sys.argv[3], source='short')"
    ran = bench.rootfs.run([PYTHON, "-c", code, site, "frappe.standin.trace", marker], folder=bench.sites)
    assert ran.returncode == 0, ran.stderr


def run(bench: Bench, redis: Redis, *words: str) -> dict[str, str]:
    """Runs a command of the runner; returns nothing when it ends well, else what it said."""
    install_runner(bench.rootfs)
    secret = bench.rootfs.folder(f"{bench.view}/secrets/redis") / "password"
    secret.write_text(PASSWORD)
    env = {"BENCH": bench.view, "SECRETS": f"{bench.view}/secrets", "REDIS_PORT": str(redis.port)}
    ran = bench.rootfs.run([PYTHON, "/opt/frappe-operator", *words, "--redis-cache-host=127.0.0.1"], env=env)
    assert PASSWORD not in ran.stdout + ran.stderr
    return {} if ran.returncode == 0 else {"code": str(ran.returncode), "said": ran.stdout + ran.stderr}


def drop_keys(bench: Bench, redis: Redis, bench_id: str, database: str) -> dict[str, str]:
    flags = [f"--site={SITE}", f"--bench-ids={bench_id}", f"--database={database}"]
    return run(bench, redis, "drop-keys", *flags, "--redis-queue-host=127.0.0.1")


def built(bench: Bench, number: int) -> None:
    """Gives a view the assets of another build."""
    bench.rootfs.inside(f"{bench.sites}/assets").unlink()
    names = ("desk.bundle.js", "desk.bundle.css")
    bench.write("assets/assets.json", {name: name.replace("bundle", f"bundle.BUILD{number}") for name in names})


def page(bench: Bench) -> str:
    code = f"from frappe import pages; print(pages.desk({SITE!r}, []))"
    ran = bench.rootfs.run([PYTHON, "-c", code], folder=bench.sites)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def test_pages_name_the_assets_of_another_image_until_its_names_are_dropped(
    make_bench: Callable[..., Bench], redis: Redis
):
    before, after = (make_bench(**redis.common) for _ in range(2))
    for number, bench in enumerate((before, after), 1):
        bench.prepared(SITE)
        built(bench, number)
    assert "desk.bundle.BUILD1.js" in page(before)
    assert "desk.bundle.BUILD1.js" in page(after), "what is cached has no end"
    assert run(after, redis, "drop-assets") == {}
    assert "desk.bundle.BUILD2.js" in page(after)


def test_nothing_of_the_site_is_left_and_everything_of_its_neighbours(make_bench: Callable[..., Bench], redis: Redis):
    gone = make_bench(bench_id="shop-11111111", **redis.common)
    neighbours = [make_bench(bench_id=each, **redis.common) for each in ("shop", "shop-11111112", "hop-11111111")]
    for bench in (gone, *neighbours):
        bench.prepared(SITE)
        enqueue(bench, "fails")
        # Without a database the job fails: results, registries, a worker that has worked.
        bench.command("worker", "--queue", "short", "--burst")
        enqueue(bench, "waits")
    redis("SADD", "rq:workers", "rq:worker:killed", "rq:worker:another")
    redis("SADD", "rq:workers:shop-11111111:short", "rq:worker:killed")
    redis("SADD", f"rq:job:{SITE}::waits:dependents", "another")
    redis("SET", f"rq:job:{SITE}::planted", "no hash")
    redis("SADD", "rq:queues", "rq:queue:shop-1")
    for key in ("a*[b]|session", "a*[b]|user:x", "ab|session", "axb|session", "a*[b]", "assets_json"):
        redis("SET", key, "x")
    for key in redis.everything():
        # What RQ keeps of a worker that has ended goes by itself after a minute, and this may take longer.
        redis("PERSIST", key)
    ours = {key for key in redis.everything() if "shop-11111111" in key}
    assert {"rq:queue:shop-11111111:short", "rq:failed:shop-11111111:short"} <= ours
    jobs = {key for key in redis("KEYS", f"rq:job:{SITE}::*") if redis("TYPE", key) == ["hash"]}
    ours |= {key for key in jobs if redis("HGET", key, "origin")[0].startswith("shop-11111111:")}
    assert len(jobs) == 8
    ours |= {key.replace("rq:job:", "rq:results:") for key in ours & jobs} & redis.everything()
    ours |= {"a*[b]|session", "a*[b]|user:x", "rq:worker:killed"}
    before = redis.everything()
    assert drop_keys(gone, redis, "shop-11111111", "a*[b]") == {}
    assert redis.everything() == before - ours
    assert drop_keys(gone, redis, "shop-11111111", "a*[b]") == {}, "a second time it finds nothing"


def test_a_job_that_was_queued_is_executed_by_nobody_after(make_bench: Callable[..., Bench], redis: Redis):
    bench = make_bench(bench_id="shop-11111111", **redis.common)
    database = bench.made(SITE)
    enqueue(bench, "before")
    assert bench.command("worker", "--queue", "short", "--burst").returncode == 0
    enqueue(bench, "after")
    assert drop_keys(bench, redis, "shop-11111111", database) == {}
    assert bench.command("worker", "--queue", "short", "--burst").returncode == 0
    assert (done(bench, database, "before"), done(bench, database, "after")) == (["short"], [])


def test_while_redis_is_away_it_says_so(make_bench: Callable[..., Bench]):
    bench = make_bench()
    ended = drop_keys(bench, Redis(bench.rootfs, 1), "shop-11111111", "shop")
    assert ended["code"] == "1"
    assert "RedisUnavailable" in ended["said"]
