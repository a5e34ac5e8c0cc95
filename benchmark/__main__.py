"""`python -m benchmark [NAME…]`: all measurements, or those named; `--list` names them."""

import json
import signal
import sys
import time
import traceback
from datetime import UTC, datetime
from pathlib import Path

from benchmark import machine
from benchmark.cold_start import starting
from benchmark.edit_latency import noisy, resync
from benchmark.failover import leading
from benchmark.figures import FIGURES, Measured, Measurement
from benchmark.noop_requests import idle
from benchmark.read_throughput import reading
from benchmark.silent_watch import silence
from benchmark.site_creation import benches, creating
from benchmark.site_upgrade import upgrading
from benchmark.steady_state import steady_state

MEASUREMENTS: dict[str, Measurement] = {
    "reading": reading,
    "starting": starting,
    "steady": steady_state,
    "resync": resync,
    "noisy": noisy,
    "leading": leading,
    "silence": silence,
    "idle": idle,
    "benches": benches,
    "creating": creating,
    "upgrading": upgrading,
}
RESULT = Path("build") / "bench.json"


def main(names: list[str]) -> int:
    """Measures, prints a table, writes build/bench.json. Exit code 1 when something was not measured."""
    if unknown := set(names) - MEASUREMENTS.keys():
        print(f"no such measurement: {', '.join(sorted(unknown))}; there are: {', '.join(MEASUREMENTS)}")
        return 2
    # Whatever was started is taken down as well when this is ended from outside.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    before = machine.stolen()
    found: list[Measured] = []
    failed = []
    for name in names or MEASUREMENTS:
        began = time.monotonic()
        print(f"… {name}", file=sys.stderr, flush=True)
        try:
            measured = MEASUREMENTS[name]()
        except Exception:
            traceback.print_exc()
            failed.append(name)
            continue
        found += measured
        print(f"  {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
        for each in measured:
            print(_row(each), flush=True)
    about = machine.described(before)
    print(_table(found, about))
    RESULT.parent.mkdir(exist_ok=True)
    document = {"date": datetime.now(UTC).isoformat(timespec="seconds"), "machine": about, "figures": _document(found)}
    RESULT.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n")
    if failed:
        print(f"not measured: {', '.join(failed)}")
    return 1 if failed else 0


def _row(each: Measured) -> str:
    figure = FIGURES[each.key]
    met = {True: "met", False: "NOT MET", None: ""}[figure.met(each.value)]
    return f"{each.key:28} {_number(each.value):>10} {figure.promise:>18}  {met:8} {figure.sentence}"


def _table(found: list[Measured], about: dict[str, object]) -> str:
    rows = [f"{'figure':28} {'measured':>10} {'must be':>18}"]
    for each in found:
        rows += [_row(each), f"    {each.how}", f"    {json.dumps(each.sizes, ensure_ascii=False)}"]
    return "\n".join([*rows, "", ", ".join(f"{name}: {value}" for name, value in about.items())])


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def _document(found: list[Measured]) -> dict[str, object]:
    return {
        each.key: {
            "value": each.value,
            "bound": FIGURES[each.key].bound,
            "met": FIGURES[each.key].met(each.value),
            "how": each.how,
            **each.sizes,
        }
        for each in found
    }


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
