"""Real socket.io clients of a site, in one of its pods."""

import hashlib
import json
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from sandbox.addons.contour import IngressController
from tests.e2e.namespace import Namespace

SCRIPT = Path(__file__).with_name("realtime_client.js")


class Client(NamedTuple):
    """One client: the host that it connects to, and how; by default as browsers do, polling first."""

    host: str
    transports: Sequence[str] | None = None


class Clients:
    """Running clients, by their number, and what has happened to them."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process
        self.happened: list[dict[str, Any]] = []
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.happened.append(json.loads(line))

    def to(self, number: int, what: str) -> list[dict[str, Any]]:
        """How often and how something happened to one client."""
        return [each for each in [*self.happened] if (each["number"], each["what"]) == (number, what)]

    def replica(self, number: int) -> str:
        """The mark of the replica that has the session of a client; empty for one that has not begun by polling."""
        mark, dot, _ = str(self.to(number, "connect")[-1]["sid"]).partition(".")
        return mark if dot else ""

    def end(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.kill()
        self._process.wait()
        self._reader.join()


@contextmanager
def connected(
    namespace: Namespace, contour: IngressController, site: str, name: str, sid: str, clients: Sequence[Client]
) -> Iterator[Clients]:
    """Clients in the pod of the scheduler of a site. `name`: its siteName, `sid`: of a session at the site."""
    told = {
        "address": contour.address,
        "ca": contour.authority.certificate.read_text(),
        "site": name,
        "sid": sid,
        "clients": [each._asdict() for each in clients],
    }
    run = ("exec", "-i", f"deployment/{site}-scheduler", "--container=scheduler", "--", "node", "-e")
    words = namespace.kubectl.argv(f"--namespace={namespace.name}", *run, SCRIPT.read_text(), json.dumps(told))
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        running = Clients(process)
        try:
            yield running
        finally:
            running.end()


def mark(pod: dict[str, Any]) -> str:
    """What a front door puts before the sessions of a pod."""
    return hashlib.md5(pod["status"]["podIP"].encode(), usedforsecurity=False).hexdigest()[:8]
