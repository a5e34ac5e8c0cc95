"""Runs one function in a fresh process, so that its memory and CPU can be measured."""

import importlib
import json
import subprocess
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import uvloop

from benchmark.machine import OPERATOR_CORE, pinned

Work = Callable[..., Awaitable[dict[str, Any]]]


def run_in_process(work: Work, *, core: int | None = OPERATOR_CORE, **given: Any) -> dict[str, Any]:
    """What a module's function answers, called with `given` in a fresh process. `core`: which it may use; None: any."""
    argv = [sys.executable, "-m", "benchmark.isolated_process", work.__module__, work.__name__, json.dumps(given)]
    done = subprocess.run(pinned(core, argv) if core is not None else argv, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        raise RuntimeError(f"{work.__module__}.{work.__name__} failed with {done.returncode}")
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


if __name__ == "__main__":
    module, name, given = sys.argv[1:]
    print(json.dumps(uvloop.run(getattr(importlib.import_module(module), name)(**json.loads(given)))))
