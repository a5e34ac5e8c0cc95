"""The figures that are promised, and what a measurement says of one."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple


class Figure(NamedTuple):
    """One promise."""

    sentence: str
    bound: float | None
    """None: shown, and judged by people."""
    better: Literal["more", "less"] = "less"
    unit: str = ""

    def met(self, value: float) -> bool | None:
        """Whether a value keeps the promise; None where there is none."""
        if self.bound is None:
            return None
        return value >= self.bound if self.better == "more" else value <= self.bound

    @property
    def promise(self) -> str:
        if self.bound is None:
            return "—"
        return f"{'≥' if self.better == 'more' else '≤'} {self.bound:g} {self.unit}".strip()


FIGURES = {
    "list_objects_per_s": Figure("Objects read when a watch begins, one core", 40_000, "more"),
    "watch_events_per_s": Figure("Events of a watch, one core", 40_000, "more"),
    "cold_start_cpu_s": Figure("Process start to 80,000 children compared field by field", 15, unit="s of CPU"),
    "cold_start_peak_rss_mib": Figure("The most memory until then", 256, unit="MiB"),
    "cold_start_10k_cpu_s": Figure("The same for 10,000 sites with all their children", None, unit="s of CPU"),
    "cold_start_10k_peak_rss_mib": Figure("The most memory until then", None, unit="MiB"),
    "cold_start_writes": Figure("Writes while it starts, everything being right", 0),
    "cold_start_missed": Figure("Children put out of order that a start does not put right, or others it writes", 0),
    "bytes_per_child": Figure("Memory for each child more", 1024, unit="bytes"),
    "steady_writes": Figure("Writes while nothing changes", 0),
    "steady_requests": Figure("Requests while nothing changes, but watches and the lease", 0),
    "steady_cpu_percent": Figure("Of a core, while nothing changes", 1, unit="%"),
    "create_ratio": Figure(
        "Raw replay of the same requests ÷ the operator, 1,000 sites, real API server", 0.67, "more"
    ),
    "create_ratio_to_ready": Figure("The same, until the cluster's controllers have done as much", None),
    "benches_200_s": Figure("200 benches until all children exist, real API server", 45.6, unit="s"),
    "benches_200_cpu_s": Figure("CPU for that", 5, unit="s"),
    "benches_200_rss_mib": Figure("Memory for that", 96, unit="MiB"),
    "write_efficiency": Figure("Fewest possible writes ÷ writes made", 0.9, "more"),
    "write_efficiency_told": Figure("The same, each turn of a condition being told", None, "more"),
    "noop_requests": Figure("Requests of a reconcile that changes nothing", 0),
    "noop_requests_first": Figure("Requests of the first look after a restart, for each object", None),
    "edit_p99_ms": Figure("A user's edit during a full resync to the first write, p99", 500, unit="ms"),
    "noisy_tenant_ratio": Figure("p99 of a quiet namespace beside 5,000 failing sites ÷ without them", 2),
    "failover_s": Figure("Leader killed to the standby's next reconcile", 6, unit="s"),
    "handover_s": Figure("Leader told to go to the standby's next reconcile", 1, unit="s"),
    "silent_watch_s": Figure("A watch that died without a word to what was missed being known", 30, unit="s"),
    "cost_curve": Figure("Cost of a site at 10,000 ÷ at 1,000", 1.3),
}


@dataclass
class Measured:
    """What was seen."""

    key: str
    value: float
    how: str
    sizes: dict[str, Any] = field(default_factory=dict)
    """Everything else worth knowing: sizes, spread, parts."""


Measurement = Callable[[], Sequence[Measured]]
