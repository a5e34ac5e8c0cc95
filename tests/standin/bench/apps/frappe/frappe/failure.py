"""Failing on request: at a named step of a command, by ending, hanging, dying, or being slow."""

import json
import os
import signal
import sys
import threading
from pathlib import Path

from frappe.conf import Conf, bench_path, sites_path

FILE = "standin-fail.json"
COUNT = ".standin-fail-count"


class Failing:
    """What a command on a site was told to do at its steps.

    A wish reads `command:step:how[:times]`; `how` is `exit`, `hang`, `kill` or `slow=SECONDS`; `times` counts across
    processes, in the site's directory. Wishes come from `$STANDIN_FAIL` (with commas between them), from `standin_fail`
    in the merged configuration, and from `standin-fail.json` in the site's directory or the bench (one, or a list).
    """

    def __init__(self, command: str, site: str, conf: Conf) -> None:
        self.command = command
        self.folder = sites_path() / site
        wishes = os.environ.get("STANDIN_FAIL", "").split(",") + _listed(conf.get("standin_fail"))
        for file in (self.folder / FILE, bench_path() / FILE):
            wishes += _listed(json.loads(_text(file) or "[]"))
        self.wishes = [wish.split(":") for wish in wishes if wish.startswith(f"{command}:")]

    def at(self, step: str) -> None:
        """Say that `step` is reached; does not return when a wish says so."""
        for wish in self.wishes:
            if wish[1] == step and self._still(wish):
                print(f"stand-in: {':'.join(wish)} as told", file=sys.stderr, flush=True)
                _do(wish[2])

    def _still(self, wish: list[str]) -> bool:
        if len(wish) < 4:
            return True
        file = self.folder / COUNT
        done = _text(file).split()
        mark = ":".join(wish[:3])
        if done.count(mark) >= int(wish[3]):
            return False
        file.write_text("\n".join([*done, mark]))
        return True


def _do(how: str) -> None:
    if how == "exit":
        sys.exit(1)
    elif how == "hang":
        threading.Event().wait()
    elif how == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
        os._exit(137)  # The first process of a container cannot kill itself.
    elif how.startswith("slow="):
        threading.Event().wait(float(how.removeprefix("slow=")))
    else:
        raise ValueError(f"stand-in: no way to fail is called {how}")


def _listed(wish: str | list[str] | None) -> list[str]:
    return [wish] if isinstance(wish, str) else list(wish or [])


def _text(file: Path) -> str:
    return file.read_text() if file.is_file() else ""
