"""A process is found again by a later run, and nothing else is ever taken for it."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from sandbox.deadline import until
from sandbox.identity import alive, describe
from sandbox.processes import Process, ProcessError
from sandbox.state import State


@pytest.fixture
def state(tmp_path: Path):
    state = State(tmp_path / "cluster")
    state.root.mkdir()
    yield state
    for name in state.processes:
        Process(state, name).stop()


def test_a_process_outlives_its_starter_and_is_found_and_ended_by_another_one(state: State):
    script = "import sys, pathlib; from sandbox.processes import *; from sandbox.state import State\n"
    script += "Process(State(pathlib.Path(sys.argv[1])), 'sleeper').start(['sleep', '600'])"
    subprocess.run([sys.executable, "-c", script, state.root], check=True)
    sleeper = Process(state, "sleeper")
    pid = sleeper.pid
    assert pid is not None
    assert Path(f"/proc/{pid}/cmdline").read_bytes() == b"sleep\x00600\x00"
    described = describe(pid)
    sleeper.stop()
    assert alive(described) is None
    assert state.processes == []


def test_a_process_with_a_recycled_id_is_neither_seen_nor_stopped(state: State):
    with subprocess.Popen(["sleep", "600"]) as stranger:
        own = describe(stranger.pid)
        fields = own.rpartition(")")[2].split()
        state.pid_file("sleeper").write_text(own.replace(f" {fields[19]} ", f" {int(fields[19]) - 1} "))
        sleeper = Process(state, "sleeper")
        assert not sleeper.running
        sleeper.stop()
        assert stranger.poll() is None
        assert state.processes == []
        stranger.terminate()


def test_a_process_of_an_earlier_boot_is_not_taken_for_a_living_one():
    me = describe(os.getpid())
    assert alive(me) == os.getpid()
    boot = me.split()[-1]
    assert alive(me.replace(boot, "00000000-0000-0000-0000-000000000000")) is None


def test_a_dead_process_that_nobody_has_buried_does_not_run():
    with subprocess.Popen(["sleep", "600"]) as child:
        described = describe(child.pid)
        assert alive(described) == child.pid
        child.send_signal(signal.SIGKILL)
        until(lambda: alive(described) is None, 5, "the child to be dead")
        assert Path(f"/proc/{child.pid}").exists(), "it was buried: the test shows nothing"


def test_starting_twice_starts_once(state: State):
    sleeper = Process(state, "sleeper")
    sleeper.start(["sleep", "600"])
    first = sleeper.pid
    sleeper.start(["sleep", "601"])
    assert sleeper.pid == first


def test_a_process_that_ignores_being_asked_is_killed(state: State):
    deaf = Process(state, "deaf")
    deaf.start(["sh", "-c", "trap '' TERM; echo deaf now; while :; do sleep 0.1; done"])
    deaf.wait_until(lambda: "deaf now" in deaf.log.read_text(), 5, "it to be deaf")
    pid = deaf.pid
    assert pid is not None
    described = describe(pid)
    deaf.stop(grace=0.2)
    assert alive(described) is None


def test_who_waits_for_a_process_that_ends_reads_its_last_words(state: State):
    failing = Process(state, "failing")
    failing.start(["sh", "-c", "echo no such flag: --colour >&2; exit 1"])
    with pytest.raises(ProcessError, match=r"it to answer: failing has ended(.|\n)*no such flag: --colour"):
        failing.wait_until(lambda: False, 5, "it to answer")


def test_a_program_that_cannot_be_executed_says_so(state: State):
    absent = Process(state, "absent")
    absent.start([Path("/nowhere/program")])
    with pytest.raises(ProcessError, match=r"/nowhere/program"):
        absent.wait_until(lambda: False, 5, "it to answer")


def test_who_waits_too_long_reads_the_log(state: State):
    slow = Process(state, "slow")
    slow.start(["sh", "-c", "echo still loading; exec sleep 600"])
    with pytest.raises(ProcessError, match=r"it to answer: not within 0.3 s(.|\n)*still loading"):
        slow.wait_until(lambda: False, 0.3, "it to answer")
