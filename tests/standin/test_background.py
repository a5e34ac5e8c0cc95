"""Workers, the scheduler and realtime: whose jobs they do, and how they end."""

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from frappe_operator.components import background
from frappe_operator.components import socketio as socketio_pod
from tests.standin.bench_under_test import Bench
from tests.standin.rootfs import BENCH, DEADLINE, Rootfs, Running, eventually, free_port
from tests.standin.web import Client


def done(bench: Bench, database: str, marker: str) -> list[str]:
    """Who has done the jobs of that marker: the queue they came from."""
    query = f"SELECT queue FROM `tabStandin Job` WHERE marker = '{marker}'"  # noqa: S608
    return [row[0] for row in bench.root_sql(query, database=database)]


def redis(bench: Bench, *words: str) -> list[str]:
    return bench.rootfs.run(["redis-cli", "-p", str(bench.redis_port), *words]).stdout.split()


def enqueue(port: int, site: str, marker: str, queue: str = "short", seconds: float = 0) -> None:
    asked = f"/api/method/standin.enqueue?marker={marker}&queue={queue}&seconds={seconds}"
    answer = Client(port, site).get(asked)
    assert answer.status == 200, answer.text()
    assert answer.json()["message"].startswith(f"{site}::")


def test_a_worker_does_the_jobs_of_its_own_bench_id_only(make_bench: Callable[..., Bench]):
    one, other = make_bench(), make_bench()
    database = one.made("one.example")
    other.made("other.example")
    with one.gunicorn() as port:
        eventually(lambda: Client(port, "nobody").get("/").status == 404, "gunicorn answers")
        enqueue(port, "one.example", "mine")
    key = f"rq:queue:{one.common['bench_id']}:short"
    assert redis(one, "LLEN", key) == ["1"]
    assert one.command("ready-for-migration", site="one.example").returncode == 1
    assert other.command("worker", "--queue", "short", "--burst").returncode == 0
    assert (redis(one, "LLEN", key), done(one, database, "mine")) == (["1"], [])
    assert one.command("worker", "--queue", "short", "--burst").returncode == 0
    assert (redis(one, "LLEN", key), done(one, database, "mine")) == (["0"], ["short"])
    assert one.command("ready-for-migration", site="one.example").returncode == 0


def test_without_a_bench_id_a_worker_takes_jobs_of_sites_it_has_not_and_they_fail(make_bench: Callable[..., Bench]):
    one, other = make_bench(bench_id="shared"), make_bench(bench_id="shared")
    database = one.made("one.example")
    with one.gunicorn() as port:
        eventually(lambda: Client(port, "nobody").get("/").status == 404, "gunicorn answers")
        enqueue(port, "one.example", "stolen")
    other.command("worker", "--queue", "short", "--burst")
    assert done(one, database, "stolen") == []
    assert redis(one, "ZCARD", "rq:failed:shared:short") == ["1"]


def test_the_sites_own_bench_id_wins_when_it_enqueues(bench: Bench):
    bench.made("one.example", bench_id="its-own")
    with bench.gunicorn() as port:
        eventually(lambda: Client(port, "nobody").get("/").status == 404, "gunicorn answers")
        enqueue(port, "one.example", "moved", queue="long")
    assert redis(bench, "LLEN", "rq:queue:its-own:long") == ["1"]


def test_what_a_test_has_started_ends_with_it(rootfs: Rootfs):
    def there() -> bool:
        return subprocess.run(["pgrep", "-x", "-f", "sleep 86421"], capture_output=True, check=False).returncode == 0

    with rootfs.running(["sleep", "86421"], folder="/"):
        eventually(there, "it runs")
    eventually(lambda: not there(), "it is gone")


def test_told_to_end_a_worker_first_finishes_its_job(bench: Bench, tmp_path: Path):
    database = bench.made("one.example")
    with bench.gunicorn() as port:
        eventually(lambda: Client(port, "nobody").get("/").status == 404, "gunicorn answers")
        with bench.rootfs.running(bench.argv("worker", "--queue", "short"), folder=bench.sites) as worker:
            enqueue(port, "one.example", "slow", seconds=4)
            wip = f"rq:wip:{bench.common['bench_id']}:short"
            eventually(lambda: redis(bench, "ZCARD", wip) == ["1"], "the job is begun")
            worker.terminate()
            assert worker.ended_within(DEADLINE) == 0
    assert done(bench, database, "slow") == ["short"]


def test_a_worker_that_is_ended_while_it_starts_ends(bench: Bench):
    argv = bench.argv("worker", "--queue", "short")
    with bench.rootfs.running(argv, folder=bench.sites) as worker:
        eventually(lambda: worker.words == argv, "the program itself has begun")
        hook = worker.probe(["sh", "-c", background.WAIT_FOR_SIGTERM_HANDLER])
        assert (hook.returncode, hook.stderr) == (0, "")
        worker.terminate()
        assert worker.ended_within(DEADLINE) == 0


def test_a_program_without_a_handler_is_not_told_to_end_yet(rootfs: Rootfs):
    argv = ["sleep", "86422"]
    with rootfs.running(argv, folder="/") as program:
        eventually(lambda: program.words == argv, "the program itself has begun")
        assert program.probe(["timeout", "1", "sh", "-c", background.WAIT_FOR_SIGTERM_HANDLER]).returncode == 124


def test_a_worker_gives_up_when_there_is_no_redis_and_knows_its_queues(make_bench: Callable[..., Bench]):
    bench = make_bench(redis_queue="redis://127.0.0.1:1/0")
    assert bench.command("worker", "--queue", "short").returncode == 1
    assert bench.command("worker", "--queue", "shrt").returncode == 1


def of_the_bench(bench: Bench) -> dict[str, str]:
    """Environment in which Frappe takes the view for its bench, `config/` included."""
    return {"FRAPPE_BENCH_ROOT": bench.view}


def test_a_second_scheduler_of_a_bench_ends_at_once(bench: Bench):
    lock = bench.rootfs.inside(f"{bench.view}/config/scheduler_process")
    with bench.rootfs.running(bench.argv("schedule"), folder=bench.sites, env=of_the_bench(bench)) as first:
        eventually(lock.exists, "the first scheduler has its lock")
        second = bench.command("schedule", env=of_the_bench(bench))
        assert (second.returncode, first.ended_within(0)) == (0, None)


def test_a_scheduler_without_a_writable_config_folder_does_not_start(bench: Bench):
    bench.rootfs.inside(f"{bench.view}/config").rmdir()
    ended = bench.command("schedule", env=of_the_bench(bench))
    assert ended.returncode == 1
    assert "config/scheduler_process" in ended.stderr


def test_the_scheduler_queues_for_enabled_sites_and_does_not_end_when_told(make_bench: Callable[..., Bench]):
    bench = make_bench(scheduler_tick_interval=1)
    bench.made("on.example")
    bench.made("off.example")
    linked = bench.rootfs.inside(f"{bench.sites}/linked.example")
    linked.symlink_to("on.example")
    bench.command("enable-scheduler", site="on.example")
    with bench.rootfs.running(bench.argv("schedule"), folder=bench.sites, env=of_the_bench(bench)) as scheduler:
        queue = f"rq:queue:{bench.common['bench_id']}:default"
        eventually(lambda: redis(bench, "LLEN", queue) == ["1"], "the scheduled job is queued")
        assert all(job.startswith("on.example::") for job in redis(bench, "LRANGE", queue, "0", "-1"))
        scheduler.terminate()
        assert scheduler.ended_within(2) is None
        # Nobody has logged in, so once is enough for a day.
        assert redis(bench, "LLEN", queue) == ["1"]


class Browser:
    """The polling transport of socket.io, as far as one connection to one namespace needs it."""

    def __init__(self, client: Client, namespace: str) -> None:
        self.client = client
        self.namespace = namespace
        opened = json.loads(client.get("/socket.io/?EIO=4&transport=polling").text()[1:])
        self.path = f"/socket.io/?EIO=4&transport=polling&sid={opened['sid']}"
        self.client.post(self.path, f"40/{namespace},".encode())

    def hear(self) -> str:
        """The next packet, without its namespace."""
        while (heard := self.client.get(self.path).text()) == "2":
            self.client.post(self.path, b"3")
        return heard.replace(f"/{self.namespace},", "")


@pytest.fixture(scope="module")
def realtime(make_bench: Callable[..., Bench]) -> Iterator[tuple[Client, int, Running]]:
    """A client that is logged in at gunicorn, the port of socketio, and socketio."""
    # The site is called localhost so that the call-back reaches it without anything in front.
    bench = make_bench(socketio_port=free_port())
    bench.made("localhost")
    # As its pods start it: what it logs goes through a filter.
    node = ["sh", "-ec", socketio_pod.ENTRY, "socketio", f"{BENCH}/apps/frappe/socketio.js"]
    env = {"FRAPPE_BENCH_ROOT": bench.view, "FILTER": socketio_pod.FILTER}
    log = bench.rootfs.inside(f"{bench.view}/socketio.log")
    with bench.gunicorn() as port, bench.rootfs.running(node, folder=bench.sites, env=env, log=log) as socketio:
        web, realtime = Client(port, "localhost"), Client(bench.common["socketio_port"], "localhost")
        eventually(lambda: web.get("/api/method/ping").status == 200, "gunicorn answers")
        eventually(lambda: realtime.get("/socket.io/?EIO=4&transport=polling").status == 200, "socketio answers")
        eventually(lambda: "Realtime service listening" in log.read_text(), "what it says has passed the filter")
        web.log_in()
        yield web, realtime.port, socketio


def browser(realtime: tuple[Client, int, Running], origin: str, namespace: str = "localhost") -> Browser:
    web, port, _ = realtime
    headers = {"Origin": origin.format(port=web.port), "X-Frappe-Site-Name": "localhost"}
    return Browser(Client(port, "localhost", web.sid, headers), namespace)


@pytest.mark.parametrize(
    ("origin", "namespace", "answer"),
    [
        ("http://localhost:{port}", "other.example", "Invalid namespace"),
        ("http://elsewhere:{port}", "localhost", "Invalid origin"),
        ("http://localhost:2", "localhost", "Unauthorized: connect ECONNREFUSED"),
    ],
)
def test_realtime_refuses_whom_the_site_does_not_know(
    realtime: tuple[Client, int, Running], origin: str, namespace: str, answer: str
):
    assert answer in browser(realtime, origin, namespace).hear()


def test_realtime_carries_an_event_to_the_browser_of_its_site(realtime: tuple[Client, int, Running]):
    connected = browser(realtime, "http://localhost:{port}")
    assert connected.hear().startswith('40{"sid"')
    assert realtime[0].get("/api/method/standin.publish?event=news&message=hello").json() == {"message": 1}
    assert connected.hear() == '42["news","hello"]'


def test_realtime_does_not_end_when_told(realtime: tuple[Client, int, Running]):
    realtime[2].terminate()
    assert realtime[2].ended_within(2) is None
