"""A plan: a scenario, a seed for the order of the cluster's actions, and faults. One line of JSON."""

import msgspec
from msgspec import Struct

from fakecluster.faults import AnyFault


class Plan(Struct, frozen=True, omit_defaults=True):
    """What is run."""

    scenario: str
    faults: tuple[AnyFault, ...] = ()
    seed: int = 0
    """Decides latencies, and in which order the cluster's controllers act."""

    def line(self) -> str:
        """The plan as one line of JSON, from which it can be played again."""
        return msgspec.json.encode(self).decode()

    def __str__(self) -> str:
        trouble = "; ".join(str(fault) for fault in self.faults) or "nothing goes wrong"
        return f"{self.scenario} (seed {self.seed}): {trouble}"


def parse(line: str) -> Plan:
    """The plan that a line of JSON is. Raises msgspec.MsgspecError."""
    return msgspec.json.decode(line, type=Plan)
