"""Clusters as pytest fixtures: one of each tier for the whole run, and its add-ons, shared by all of xdist's workers.

The first test that asks for a cluster brings it up; pytest's main process takes all of them down at its end. Tests
share what is in it: each makes a namespace of its own.
"""

import contextlib
import fcntl
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest

from demo import STAGES
from sandbox import slots
from sandbox.addons.cert_manager_player import CertificateIssuer
from sandbox.addons.contour import IngressController
from sandbox.cluster import Cluster, Tier
from sandbox.identity import alive, describe
from sandbox.node import obstacle
from sandbox.progress import plain
from sandbox.state import BusyError
from sandbox.toolchain import NoGoError

_RUN = "frappe_operator_sandbox_run"


@pytest.fixture(scope="session")
def control_plane(pytestconfig: pytest.Config) -> Cluster:
    """A real API server with its controllers, and no node."""
    return _shared("control-plane", pytestconfig)


@pytest.fixture(scope="session")
def simulated_cluster(pytestconfig: pytest.Config) -> Cluster:
    """A cluster whose pods run and whose Jobs succeed, without any container."""
    return _shared("simulated", pytestconfig, STAGES)


@pytest.fixture(scope="session")
def node_cluster(pytestconfig: pytest.Config) -> Cluster:
    """A cluster with a real node. Skips where there cannot be one."""
    if why := obstacle():
        pytest.skip(why)
    return _shared("node", pytestconfig)


@pytest.fixture(scope="session")
def contour(node_cluster: Cluster, pytestconfig: pytest.Config) -> IngressController:
    """An ingress controller on the node of `node_cluster`."""
    _shared("node", pytestconfig, addons=("contour",))
    return IngressController.of(node_cluster.state)


@pytest.fixture(scope="session")
def certificate_issuer(node_cluster: Cluster, pytestconfig: pytest.Config) -> CertificateIssuer:
    """The player of cert-manager on the node of `node_cluster`."""
    _shared("node", pytestconfig, addons=("cert-manager-player",))
    return CertificateIssuer.of(node_cluster.state)


@pytest.fixture(scope="session")
def metrics_server(node_cluster: Cluster, pytestconfig: pytest.Config) -> Cluster:
    """`node_cluster` with the metrics that `kubectl top` and autoscalers read."""
    return _shared("node", pytestconfig, addons=("metrics-server",))


def pytest_configure(config: pytest.Config) -> None:
    """Take down what runs that were killed have left, and begin this one."""
    if _is_worker(config):
        return
    for run in _runs().glob("*/pytest"):
        if not alive(run.read_text()):
            _take_down(run.parent)
    # Renamed into place, so that no other run ever sees this one without its main process.
    new = _runs() / f".{os.getpid()}"
    new.mkdir(mode=0o700, parents=True, exist_ok=True)
    (new / "pytest").write_text(describe(os.getpid()))
    new.rename(_own_run())


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: object) -> None:
    """Tell a worker of xdist which run it belongs to."""
    node.workerinput[_RUN] = str(_own_run())  # type: ignore[attr-defined]


def pytest_unconfigure(config: pytest.Config) -> None:
    """Take down this run's clusters; the workers have ended by now."""
    if not _is_worker(config):
        _take_down(_own_run())


def _shared(tier: Tier, config: pytest.Config, stages: Sequence[Path] = (), addons: Sequence[str] = ()) -> Cluster:
    run = _run(config)
    cluster = Cluster(run / tier, plain())
    failure = run / f"{'-'.join((tier, *addons))}.failed"
    with (run / f"{tier}.lock").open("w") as held, _uncaptured(config):
        fcntl.flock(held, fcntl.LOCK_EX)
        if failure.exists():
            pytest.fail(f"it did not come up before: {failure.read_text()}", pytrace=False)
        try:
            cluster.up(tier, stages, addons)
        except NoGoError as missing:
            pytest.skip(str(missing))
        except Exception as error:
            failure.write_text(str(error))
            raise
    return cluster


def _uncaptured(config: pytest.Config) -> contextlib.AbstractContextManager[None]:
    """Bringing a cluster up may mean minutes of building: somebody waits and wants to see it."""
    capture = config.pluginmanager.getplugin("capturemanager")
    return capture.global_and_fixture_disabled() if capture else contextlib.nullcontext()


def _is_worker(config: pytest.Config) -> bool:
    return hasattr(config, "workerinput")


def _runs() -> Path:
    # Not below pytest's own temporary folder: sockets lie in here, whose paths must be short.
    return slots.folder() / "runs"


def _own_run() -> Path:
    """The folder of the run whose main process this is."""
    return _runs() / str(os.getpid())


def _run(config: pytest.Config) -> Path:
    return Path(config.workerinput[_RUN]) if _is_worker(config) else _own_run()  # type: ignore[attr-defined]


def _take_down(run: Path) -> None:
    # Busy: another run clears it away at this moment.
    with contextlib.suppress(BusyError):
        for tier in [path for path in run.iterdir() if path.is_dir()]:
            Cluster(tier, plain()).down()
        shutil.rmtree(run, ignore_errors=True)  # another run may be at it as well
