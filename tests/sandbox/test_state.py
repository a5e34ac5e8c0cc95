"""Clusters on one machine share neither ports nor addresses, and what a cluster has it keeps until it is forgotten."""

import shutil
import socket
import subprocess
from concurrent.futures import ThreadPoolExecutor
from ipaddress import IPv4Network
from pathlib import Path

import pytest

from sandbox import slots
from sandbox.processes import Process
from sandbox.state import BusyError, State, StillInUseError

ROUTES_OF_THE_MACHINE = slots._routes


@pytest.fixture(autouse=True)
def slots_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(slots, "folder", lambda: tmp_path / "slots")
    monkeypatch.setattr(slots, "_routes", lambda: iter([]))


def test_clusters_that_come_up_together_get_different_addresses_and_ports(tmp_path: Path):
    states = [State(tmp_path / f"cluster{number}") for number in range(20)]
    with ThreadPoolExecutor(20) as pool:
        addresses = list(pool.map(lambda state: state.addresses, states))
        ports = list(pool.map(lambda state: state.port("kube-apiserver"), states))
    assert len({address.slot for address in addresses}) == 20
    assert len(set(ports)) == 20
    networks = [network for address in addresses for network in (address.pods, address.services)]
    assert not any(a.overlaps(b) for a in networks for b in networks if a is not b)


def test_all_slots_lie_within_private_ranges_that_do_not_overlap(tmp_path: Path):
    ranges = [State(tmp_path / str(number)).addresses for number in range(slots.SLOTS)]
    networks = [network for address in ranges for network in (address.pods, address.services)]
    assert all(network.is_private for network in networks)
    assert not any(a.overlaps(b) for a in networks for b in networks if a is not b)
    assert all(len(address.bridge) <= 15 for address in ranges)
    with pytest.raises(slots.NoSlotError, match="all 64 slots"):
        _ = State(tmp_path / "one-too-many").addresses


def test_a_cluster_keeps_its_ports_until_it_is_forgotten(tmp_path: Path):
    state = State(tmp_path / "cluster")
    port = state.port("etcd")
    assert State(tmp_path / "cluster").port("etcd") == port
    assert state.port("kube-apiserver") != port
    state.forget()
    assert state.ports == {}


def test_a_port_somebody_listens_on_is_not_chosen(tmp_path: Path):
    free = slots.free_port(slots.SLOTS - 1, set())
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", free))
        listener.listen()
        assert slots.free_port(slots.SLOTS - 1, set()) > free


def test_the_slot_of_a_folder_that_is_gone_is_given_to_the_next(tmp_path: Path):
    first = State(tmp_path / "first")
    slot = first.addresses.slot
    shutil.rmtree(first.root)
    assert State(tmp_path / "second").addresses.slot == slot


def test_a_cluster_keeps_its_slot_when_the_folder_of_slots_is_swept(tmp_path: Path):
    State(tmp_path / "first").addresses  # noqa: B018 - takes the first slot
    second = State(tmp_path / "second").addresses
    for slot in slots.folder().glob("[0-9]*"):
        slot.unlink()
    assert State(tmp_path / "second").addresses == second


def test_addresses_that_somebody_has_a_route_to_are_not_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    routes = [IPv4Network("10.0.0.0/8"), slots.services(0), IPv4Network((slots.pods(1)[0], 24))]
    monkeypatch.setattr(slots, "_routes", lambda: iter(routes))
    assert State(tmp_path / "cluster").addresses.slot == 2


@pytest.mark.skipif(not Path("/proc/net/route").exists(), reason="there is no /proc/net/route here")
def test_routes_are_read_as_the_kernel_has_them():
    shown = subprocess.run(["ip", "-4", "route"], capture_output=True, text=True, check=True).stdout.splitlines()
    targets = {line.split()[0].replace("default", "0.0.0.0/0") for line in shown}
    assert {str(route).removesuffix("/32") for route in ROUTES_OF_THE_MACHINE()} == targets != set()


def test_only_one_at_a_time_brings_a_cluster_up(tmp_path: Path):
    state = State(tmp_path / "cluster")
    with state.locked(), pytest.raises(BusyError, match="by another process"), State(state.root).locked():
        pytest.fail("two at a time")
    with state.locked():
        pass


def test_files_are_not_removed_while_a_process_runs(tmp_path: Path):
    state = State(tmp_path / "cluster")
    state.begin({"tier": "node"})
    sleeper = Process(state, "sleeper")
    sleeper.start(["sleep", "600"])
    with pytest.raises(StillInUseError, match="sleeper"):
        state.forget()
    sleeper.stop()
    state.forget()
    assert state.facts is None
    assert [path.name for path in state.root.iterdir()] == ["logs"]
