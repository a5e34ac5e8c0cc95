"""The figures that `make bench` prints: what each means, its bound, and one measured value."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple


class Figure(NamedTuple):
    """One figure, and the bound that it must keep."""

    sentence: str
    bound: float | None
    """None: the figure is shown without a bound."""
    better: Literal["more", "less"] = "less"
    unit: str = ""

    def met(self, value: float) -> bool | None:
        """Whether a value keeps the bound; None where there is no bound."""
        if self.bound is None:
            return None
        return value >= self.bound if self.better == "more" else value <= self.bound

    @property
    def promise(self) -> str:
        if self.bound is None:
            return "—"
        return f"{'≥' if self.better == 'more' else '≤'} {self.bound:g} {self.unit}".strip()


FIGURES = {
    "list_objects_per_s": Figure("Objects read per CPU second when watches begin", 40_000, "more"),
    "watch_events_per_s": Figure("Watch events read per CPU second", 40_000, "more"),
    "cold_start_cpu_s": Figure("CPU of a start that compares 80,000 children field by field", 15, unit="s of CPU"),
    "cold_start_peak_rss_mib": Figure("Peak memory of a start with 80,000 children", 256, unit="MiB"),
    "cold_start_10k_cpu_s": Figure("CPU of a start with 10,000 sites and all their children", None, unit="s of CPU"),
    "cold_start_10k_peak_rss_mib": Figure("Peak memory of a start with 10,000 sites", None, unit="MiB"),
    "cold_start_writes": Figure("Writes of a start without drift", 0),
    "cold_start_missed": Figure("Children with drift that a start does not repair, and writes to children without", 0),
    "bytes_per_child": Figure("Memory per additional child", 1024, unit="bytes"),
    "steady_writes": Figure("Writes while nothing changes", 0),
    "steady_requests": Figure("Requests while nothing changes, except watches and the Lease", 0),
    "steady_cpu_percent": Figure("CPU while nothing changes, of one core", 1, unit="%"),
    "create_ratio": Figure(
        "Time to replay the same requests ÷ time of the operator, 1,000 sites, real API server", 0.67, "more"
    ),
    "create_ratio_to_ready": Figure("Time to replay them and let the cluster settle ÷ time of the operator", None),
    "benches_200_s": Figure("Time until 200 benches have all their children, real API server", 45.6, unit="s"),
    "benches_200_cpu_s": Figure("CPU to create the children of 200 benches", 5, unit="s"),
    "benches_200_rss_mib": Figure("Peak memory while 200 benches are created", 96, unit="MiB"),
    "upgrade_200_s": Figure("Time to upgrade 200 sites, ten at a time, real API server", None, unit="s"),
    "upgrade_200_cpu_s": Figure("CPU of the operator for that", None, unit="s"),
    "upgrade_writes_per_site": Figure("Writes for each site that is upgraded, except Events", None),
    "write_efficiency": Figure("Fewest possible writes ÷ writes made", 0.9, "more"),
    "write_efficiency_told": Figure(
        "Fewest possible writes ÷ writes made, with a status write per change of a condition", None, "more"
    ),
    "noop_requests": Figure("Requests of a reconcile that changes nothing", 0),
    "noop_requests_first": Figure("Requests per object of the first reconcile after a restart", None),
    "edit_p99_ms": Figure("Time from a user's edit during a full resync to the first write, p99", 500, unit="ms"),
    "noisy_tenant_ratio": Figure("p99 of edits beside 5,000 failing sites of another namespace ÷ without them", 2),
    "failover_s": Figure("Time from kill -9 of the leader to the first reconcile of the standby", 6, unit="s"),
    "handover_s": Figure("Time from SIGTERM to the leader to the first reconcile of the standby", 1, unit="s"),
    "silent_watch_s": Figure("Time until a change is noticed whose watch is silently dead", 30, unit="s"),
    "cost_curve": Figure("CPU per site of a start with 10,000 sites ÷ with 1,000", 1.3),
}


@dataclass
class Measured:
    """One measured value."""

    key: str
    value: float
    how: str
    sizes: dict[str, Any] = field(default_factory=dict)
    """Details: sizes, single runs, parts."""


Measurement = Callable[[], Sequence[Measured]]
