"""Probes, run as a kubelet runs them: what is frozen fails them, and nothing else does."""

import contextlib
import os
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from frappe_operator import runner
from frappe_operator.components import frappe, gunicorn
from frappe_operator.model.gunicorn import WebServer
from tests.standin.bench_under_test import Bench
from tests.standin.rootfs import SERVER, Rootfs, Running, eventually, free_port
from tests.standin.test_background import enqueue, of_the_bench, redis
from tests.standin.web import Client

SITE = "one.example"


@pytest.fixture(scope="module", autouse=True)
def mounted(rootfs: Rootfs) -> None:
    """The runner, as its ConfigMap brings it."""
    rootfs.folder(frappe.RUNNER)
    for name, text in runner.files().items():
        (rootfs.inside(frappe.RUNNER) / name).write_text(text)


def probed(bench: Bench, running: Running, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a probe of the runner in the container of a program."""
    places = {"BENCH": bench.view, "NOTE": f"{bench.view}/logs/note"}
    return running.probe(frappe.probe(*words)["exec"]["command"], env=places)


@contextlib.contextmanager
def worker(bench: Bench, queue: str = "short") -> Iterator[Running]:
    """A worker that has started, by its own probe."""
    with bench.rootfs.running(bench.argv("worker", "--queue", queue), folder=bench.sites) as running:
        eventually(
            lambda: probed(bench, running, "worker-started", queue.split(",")[0]).returncode == 0, "the worker is there"
        )
        yield running


def key(bench: Bench) -> str:
    (found,) = redis(bench, "SMEMBERS", f"rq:workers:{bench.common['bench_id']}:short")
    return found


def test_a_worker_that_waits_for_jobs_is_well_and_one_that_is_frozen_is_not(bench: Bench):
    with worker(bench) as running:
        assert probed(bench, running, "worker-alive", "0").returncode == 0
        with running.frozen():
            # Which is what Redis does when there is no heartbeat.
            assert redis(bench, "PEXPIRE", key(bench), "1") == ["1"]
            eventually(lambda: redis(bench, "EXISTS", key(bench)) == ["0"], "the worker is forgotten")
            found = probed(bench, running, "worker-alive", "0")
            assert (found.returncode, "no heartbeat" in found.stdout) == (1, True)
            assert probed(bench, running, "worker-alive").returncode == 0, "it is young"


def test_a_worker_in_the_middle_of_a_long_job_is_well(bench: Bench):
    bench.made(SITE)
    with bench.gunicorn() as port:
        eventually(lambda: Client(port, "nobody").get("/").status == 404, "gunicorn answers")
        with worker(bench, "default,short,long") as running:
            enqueue(port, SITE, "long", seconds=60)
            wip = f"rq:wip:{bench.common['bench_id']}:short"
            eventually(lambda: redis(bench, "ZCARD", wip) == ["1"], "the job is begun")
            assert probed(bench, running, "worker-alive", "0").returncode == 0


def listens(port: int) -> bool:
    with socket.create_connection(("127.0.0.1", port)):
        return True


def test_an_outage_of_redis_restarts_no_worker(make_bench: Callable[..., Bench], rootfs: Rootfs):
    port = free_port()
    server = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", ""]
    bench = make_bench(redis_queue=f"redis://127.0.0.1:{port}/0")
    with contextlib.ExitStack() as stack:
        with rootfs.running(server, user=SERVER, folder="/data") as first:
            eventually(lambda: listens(port), "Redis answers")
            running = stack.enter_context(worker(bench))

            def asked(*words: str) -> str:
                return rootfs.run(["redis-cli", "-p", str(port), *words]).stdout.strip()

            # Until it waits for jobs an outage ends it, as all of RQ's.
            found = asked("SMEMBERS", "rq:workers")
            eventually(lambda: asked("HGET", found, "state") == "idle", "the worker waits for jobs")
            with first.frozen():
                assert probed(bench, running, "worker-alive", "0").returncode == 0, "Redis hangs"
        assert probed(bench, running, "worker-alive", "0").returncode == 0, "Redis is gone"
        assert probed(bench, running, "worker-started", "short").returncode == 1, "so nobody can have started"
        with rootfs.running(server, user=SERVER, folder="/data"):
            eventually(lambda: listens(port), "Redis is back, empty")
            assert probed(bench, running, "worker-alive").returncode == 0
            eventually(
                lambda: probed(bench, running, "worker-alive", "0").returncode == 0, "the worker has a heartbeat again"
            )
        assert running.ended_within(0) is None


def test_a_worker_of_another_queue_is_not_this_one(bench: Bench):
    with worker(bench, "long") as running:
        assert probed(bench, running, "worker-started", "short").returncode == 1


def test_a_scheduler_has_started_when_it_holds_its_lock(bench: Bench):
    lock = bench.rootfs.inside(f"{bench.view}/config/scheduler_process")
    # One that an earlier container of the pod left behind.
    lock.write_text("")
    os.chown(lock, 1000, 1000)
    with bench.rootfs.running(bench.argv("schedule"), folder=bench.sites, env=of_the_bench(bench)) as running:
        eventually(lambda: probed(bench, running, "scheduler-started").returncode == 0, "it holds its lock", seconds=29)
    waiting = ["sleep", "60"]
    with bench.rootfs.running(waiting, folder=bench.sites) as other:
        eventually(lambda: probed(bench, other, "scheduler-started").returncode == 1, "another program is none")


def awake(running: Running) -> int:
    """Exit code of gunicorn's probe."""
    return running.probe(["sh", "-c", gunicorn.LIVENESS_SCRIPT]).returncode


@contextlib.contextmanager
def web(bench: Bench, *more: str) -> Iterator[tuple[Running, int]]:
    """gunicorn with the settings of a pod; `more` wins."""
    port = free_port()
    *settings, application = [
        word for word in gunicorn.command(WebServer()) if not word.startswith(("--chdir", "--bind"))
    ]
    argv = [*settings, f"--chdir={bench.sites}", f"--bind=127.0.0.1:{port}", *more, application]
    with bench.rootfs.running(argv, folder=bench.sites) as running:
        eventually(lambda: Client(port, "nobody").get("/").status == 404, "gunicorn answers")
        yield running, port


def test_gunicorn_is_well_while_it_waits_and_while_every_thread_is_busy(bench: Bench):
    with web(bench) as (running, port), contextlib.ExitStack() as stack:
        assert awake(running) == 0
        for _ in range(40):
            hanging = stack.enter_context(socket.create_connection(("127.0.0.1", port)))
            hanging.sendall(b"GET / HTTP/1.1\r\n")
        late = stack.enter_context(socket.create_connection(("127.0.0.1", port)))
        late.sendall(b"GET / HTTP/1.1\r\nHost: nobody\r\n\r\n")
        late.settimeout(2)
        with pytest.raises(TimeoutError):
            late.recv(1)
        assert awake(running) == 0


def test_gunicorn_that_is_frozen_is_found_and_a_frozen_worker_it_ends_itself(bench: Bench):
    with web(bench, "--timeout=3") as (running, port):
        with running.frozen():
            assert awake(running) == 1
        assert awake(running) == 0
        children = Path(f"/proc/{running.pid}/task/{running.pid}/children")
        before = children.read_text().split()
        assert len(before) == 2
        os.kill(int(before[0]), signal.SIGSTOP)
        eventually(lambda: before[0] not in children.read_text().split(), "the frozen worker is ended")
        assert Client(port, "nobody").get("/").status == 404
