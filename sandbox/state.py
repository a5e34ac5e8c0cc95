"""The folder in which all of one cluster lies: its files, what runs for it, and the addresses it was given."""

import contextlib
import fcntl
import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

from sandbox import slots


class BusyError(Exception):
    """Another run of the sandbox is bringing this cluster up or down."""


class StillInUseError(Exception):
    """The cluster's files cannot be removed yet."""


@dataclass(frozen=True)
class Addresses:
    """What one cluster may use of the machine's network; no other cluster on the machine uses any of it."""

    slot: int
    """Its number among the machine's clusters, 0 to 63."""
    pods: IPv4Network
    services: IPv4Network

    @property
    def api_service(self) -> IPv4Address:
        """The address of the Service `kubernetes`: always the first of the range."""
        return self.services[1]

    @property
    def dns_service(self) -> IPv4Address:
        """The address of the Service `kube-dns`."""
        return self.services[10]

    @property
    def gateway(self) -> IPv4Address:
        """The machine's own address among the pods: that of the bridge."""
        return self.pods[1]

    @property
    def load_balancer(self) -> IPv4Address:
        """The address of the Service through which the ingress controller is reached. No pod is given it."""
        return self.pods[4]

    @property
    def bridge(self) -> str:
        """The name of the bridge's network device; at most 15 characters."""
        return f"fsandbox{self.slot}"


class State:
    """One cluster's folder. Outside it is only what the kernel holds for the cluster: mounts, devices, rules."""

    def __init__(self, root: Path) -> None:
        """`root` need not exist; it is made when something is written."""
        self.root = root.absolute()

    def __repr__(self) -> str:
        return f"State({str(self.root)!r})"

    @property
    def kubeconfig(self) -> Path:
        """The administrator's kubeconfig."""
        return self.root / "kubeconfig"

    @property
    def audit_log(self) -> Path:
        """One JSON line for each request the API server answered."""
        return self.root / "logs" / "audit.log"

    def folder(self, name: str) -> Path:
        """A folder of this cluster, made if missing and readable by its owner only."""
        path = self.root / name
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        return path

    def log(self, process: str) -> Path:
        """Where the named process writes what it has to say."""
        return self.folder("logs") / f"{process}.log"

    def pid_file(self, process: str) -> Path:
        """Where the named process's identity is kept; see `sandbox.processes`."""
        return self.folder("processes") / f"{process}.pid"

    @property
    def processes(self) -> list[str]:
        """The names of all processes started for this cluster and not yet stopped, the youngest first."""
        files = (self.root / "processes").glob("*.pid")
        return [path.stem for path in sorted(files, key=lambda path: path.stat().st_mtime_ns, reverse=True)]

    @property
    def addresses(self) -> Addresses:
        """The cluster's addresses: given at the first call and kept until `forget`.

        Raises `slots.NoSlotError` when the machine has none left.
        """
        slot = slots.take(self.root)
        return Addresses(slot, pods=slots.pods(slot), services=slots.services(slot))

    def port(self, name: str) -> int:
        """The TCP port for the purpose `name`, on loopback: chosen at the first call and kept until `forget`."""
        book = self.folder(".") / "ports.json"
        with self._alone(self.root / "ports.lock"):
            ports: dict[str, int] = json.loads(book.read_text()) if book.exists() else {}
            if name not in ports:
                ports[name] = slots.free_port(self.addresses.slot, set(ports.values()))
                book.write_text(json.dumps(ports, indent=1))
        return ports[name]

    @property
    def ports(self) -> dict[str, int]:
        """The ports chosen so far, by purpose."""
        book = self.root / "ports.json"
        return dict(json.loads(book.read_text())) if book.exists() else {}

    @property
    def facts(self) -> dict[str, str] | None:
        """What `begin` was told, or None where there is no cluster, not even a part of one."""
        book = self.root / "cluster.json"
        return dict(json.loads(book.read_text())) if book.exists() else None

    @property
    def complete(self) -> bool:
        """True once the cluster has been completely up."""
        return (self.root / "complete").exists()

    @property
    def addons(self) -> dict[str, str]:
        """The add-ons that have been completely up, by name, and what a person has to know to use each."""
        return {path.name: path.read_text() for path in sorted((self.root / "addons").glob("*"))}

    def finish_addon(self, name: str, summary: str) -> None:
        """Remember that an add-on is up."""
        (self.folder("addons") / name).write_text(summary)

    def begin(self, facts: dict[str, str]) -> None:
        """Remember, before anything is started, what kind of cluster this will be. An earlier cluster's logs go."""
        shutil.rmtree(self.root / "logs", ignore_errors=True)
        new = self.folder(".") / "cluster.json.new"
        new.write_text(json.dumps(facts, indent=1))
        new.rename(self.root / "cluster.json")

    def finish(self) -> None:
        """Remember that all of it is up."""
        (self.root / "complete").touch()

    def forget(self) -> None:
        """Remove all files of the cluster except its logs, and give its addresses back.

        Raises `StillInUseError`, and removes nothing, while one of its processes runs or something is mounted there.
        """
        mounts = self._mounts()
        if mounts:
            raise StillInUseError(f"still mounted: {', '.join(map(str, mounts))}")
        if self.processes:
            raise StillInUseError(f"not stopped: {', '.join(self.processes)}")
        slots.give_back(self.root)
        if self.root.exists():
            for path in self.root.iterdir():
                if path.name in ("logs", "lock"):
                    continue  # the reason of a failure, and what its caller holds
                if path.is_dir() and not path.is_symlink():
                    shutil.rmtree(path)
                else:
                    path.unlink()

    def _mounts(self) -> list[Path]:
        table = Path("/proc/self/mountinfo")
        if not table.exists():
            return []
        # The fifth field is the mount point, with blanks and the like in octal; see proc(5).
        fields = [line.split()[4] for line in table.read_text().splitlines()]
        points = [Path(field.encode().decode("unicode_escape")) for field in fields]
        return [point for point in points if point.is_relative_to(self.root)]

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Be the only one who brings this cluster up or down. Raises `BusyError` if somebody else is at it."""
        self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        with (self.root / "lock").open("w") as held:
            try:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise BusyError(f"the cluster in {self.root} is being brought up or down by another process") from None
            yield

    @contextlib.contextmanager
    def _alone(self, lock: Path) -> Iterator[None]:
        with lock.open("w") as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            yield
