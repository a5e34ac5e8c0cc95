"""How the sites of a bench upgrade, with every default applied."""

import zoneinfo
from datetime import datetime, time, timedelta
from typing import NamedTuple

from msgspec import Struct

from frappe_operator.api.upgrade import Upgrade, UpgradeWindow

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
"""Seconds of each unit of a duration in a spec."""
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


class Window(Struct, frozen=True):
    """The hours in which the upgrade of a site may begin."""

    days: frozenset[str]
    start: str
    end: str
    zone: str

    def opens(self, now: float) -> float:
        """Seconds until the window is open; 0 while it is. `now` in seconds since 1970."""
        here = datetime.fromtimestamp(now, zoneinfo.ZoneInfo(self.zone))
        for day in range(-1, 9):
            date = here.date() + timedelta(days=day)
            if DAYS[date.weekday()] not in self.days:
                continue
            start = datetime.combine(date, time.fromisoformat(self.start), here.tzinfo)
            closes = date + timedelta(days=1) if self.end < self.start else date
            if here < datetime.combine(closes, time.fromisoformat(self.end), here.tzinfo):
                return max(0.0, start.timestamp() - now)
        raise AssertionError("a window has at least one day, which comes within a week")


class UpgradePolicy(NamedTuple):
    """How the sites of a bench upgrade."""

    manual: bool = False
    max_concurrent: int = 1
    canary: tuple[str, ...] = ()
    pause: float = 0.0
    """Seconds that the other sites wait after the last canary."""
    max_failures: int = 1
    window: Window | None = None
    """None: an upgrade may begin at any hour."""
    drain_timeout: int = 600
    """Seconds of a turn after which it is said which pods it waits for."""
    timeout: int = 6 * 3600
    """Seconds that one migration may take."""
    keep_dumps: int = 1


def upgrade_policy(declared: Upgrade | None) -> UpgradePolicy:
    """The policy that a spec declares. With a window that `window_problem` reports, no upgrade begins."""
    if declared is None:
        return UpgradePolicy()
    default = UpgradePolicy()
    failures, dumps = declared.max_failures, declared.keep_dumps
    return UpgradePolicy(
        manual=declared.strategy == "Manual",
        max_concurrent=0 if window_problem(declared) else declared.max_concurrent or default.max_concurrent,
        canary=tuple(declared.canary or ()),
        pause=seconds(declared.pause_after_canary) if declared.pause_after_canary else 0.0,
        max_failures=default.max_failures if failures is None else failures,
        window=_window(declared.window) if declared.window else None,
        drain_timeout=int(seconds(declared.drain_timeout)) if declared.drain_timeout else default.drain_timeout,
        timeout=int(seconds(declared.migration_timeout)) if declared.migration_timeout else default.timeout,
        keep_dumps=default.keep_dumps if dumps is None else dumps,
    )


def seconds(duration: str) -> float:
    """The seconds of a duration in a spec, such as 30m."""
    return float(duration[:-1]) * UNITS[duration[-1]]


def window_problem(declared: Upgrade | None) -> str:
    """A message about the time zone of the window if it is not known; empty otherwise."""
    zone = declared.window.time_zone if declared and declared.window else None
    if zone is None or _is_zone(zone):
        return ""
    return f"upgrade.window.timeZone: {zone} is not a known time zone: use a name such as Europe/Berlin, or UTC"


def _window(declared: UpgradeWindow) -> Window:
    zone = declared.time_zone if declared.time_zone and _is_zone(declared.time_zone) else "UTC"
    return Window(frozenset(declared.days or DAYS), declared.start, declared.end, zone)


def _is_zone(name: str) -> bool:
    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True
