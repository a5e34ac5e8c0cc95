"""Settings of a MariaDB server that follow from its memory."""

from typing import NamedTuple

from frappe_operator.kube.objects import Manifest
from frappe_operator.kube.quantities import amount
from frappe_operator.model.sizing import DEFAULTS

MIB = 1024**2
PER_CONNECTION = 4 * MIB
"""Memory of the server for each connection that it accepts. A connection uses about 1 MiB: all of them use a quarter of
the memory, and a quarter is left for everything else."""
FEWEST, MOST = 30, 4000
"""Bounds of the number of connections. The pods of one site with default replicas need fewer than 30."""


class MemorySettings(NamedTuple):
    """The settings."""

    max_connections: int
    buffer_pool: str
    """`innodb_buffer_pool_size`."""


def memory_settings(resources: Manifest) -> MemorySettings:
    """The settings of a server with this field `resources`: half its memory for data, the rest for connections and
    itself. Its memory is the limit, because it is killed above it; without a limit, the request."""
    default = DEFAULTS["mariadb"]["requests"]["memory"]
    amounts = (resources.get(part, {}).get("memory") for part in ("limits", "requests"))
    memory = int(amount(next(filter(None, amounts), default)))
    connections = min(max(memory // PER_CONNECTION, FEWEST), MOST)
    return MemorySettings(connections, f"{max(memory // 2 // MIB, 16)}M")
