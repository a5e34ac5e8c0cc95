"""The real API server and its controllers, with simulated nodes on which every Job succeeds."""

import asyncio
import tempfile
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from benchmark.machine import Usage
from demo import STAGES
from frappe_operator.kube.kinds import NAMESPACE
from frappe_operator.kube.objects import Manifest
from frappe_operator.runtime.client.client import Client
from frappe_operator.runtime.client.http import HttpTransport
from frappe_operator.runtime.client.kubeconfig import find
from sandbox.cluster import Cluster
from sandbox.installation import Kubectl, Operator
from sandbox.processes import Process
from sandbox.progress import plain

AT_ONCE = 16


class Real(NamedTuple):
    """A cluster that is up, with the operator's kinds and rights in it."""

    admin: Path
    """The administrator's kubeconfig."""
    operator: Path
    """The operator's kubeconfig, with its ClusterRole."""
    pids: dict[str, int]
    """Process ids of the cluster's programs, by name."""

    def create(self, manifests: Iterable[Manifest]) -> None:
        """Creates objects, several in parallel."""
        asyncio.run(_create(self.admin, list(manifests)))

    @property
    def cpu(self) -> dict[str, float]:
        """Seconds of CPU that each of its programs has used."""
        return {name: Usage(pid).cpu for name, pid in self.pids.items()}

    def ask(self, question: Callable[[Client], Awaitable[Any]]) -> Any:
        """Runs a function with a client of the administrator."""
        return asyncio.run(_ask(self.admin, question))


@contextmanager
def real() -> Iterator[Real]:
    """Starts a fresh cluster; stops it at the end."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        cluster = Cluster(Path(folder), plain())
        try:
            cluster.up("simulated", STAGES)
            operator = Operator(Kubectl.of(cluster), cluster.state)
            operator.install()
            pids = {name: Process(cluster.state, name).pid for name in cluster.state.processes}
            yield Real(cluster.kubeconfig, operator.kubeconfig, {name: pid for name, pid in pids.items() if pid})
        finally:
            cluster.down()


def namespace(name: str) -> Manifest:
    return {"apiVersion": "v1", "kind": NAMESPACE.kind, "metadata": {"name": name}}


async def _create(kubeconfig: Path, manifests: list[Manifest]) -> None:
    async with HttpTransport(find(str(kubeconfig))) as transport:
        client, free = Client(transport), asyncio.Semaphore(AT_ONCE)

        async def create(manifest: Manifest) -> None:
            async with free:
                await client.create(manifest)

        await asyncio.gather(*map(create, manifests))


async def _ask(kubeconfig: Path, question: Callable[[Client], Awaitable[Any]]) -> Any:
    async with HttpTransport(find(str(kubeconfig))) as transport:
        return await question(Client(transport))
