"""The cases: what `frappe-operator render` prints for each input, and where what it should print is kept."""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import yaml

from frappe_operator.cli import source
from frappe_operator.cli.declared import Declared
from frappe_operator.cli.render import render
from frappe_operator.kube.objects import Manifest
from frappe_operator.model.settings import Images

HERE = Path(__file__).parent
BASE = "minimal"
"""The case that is kept in full."""
CASES = sorted(path.parent.name for path in HERE.glob("*/input.yaml"))
OTHERS = [case for case in CASES if case != BASE]
RUNNER = "the files of the runner"

IMAGES = Images(
    frappe="frappe.example.net/erpnext",
    mariadb="mariadb.example.net/mariadb:1",
    redis="redis.example.net/redis:2",
    nginx="nginx.example.net/nginx:3",
)


def expected(case: str) -> Path:
    """The file that says what the case renders: the base in full, any other case by its differences from the base."""
    return HERE / case / ("expected.yaml" if case == BASE else "expected.diff")


def printed(case: str) -> str:
    """What `render` prints for the input of a case."""
    documents = source.read(str(HERE / case / "input.yaml"))
    return "".join(render(Declared(documents, "default", IMAGES)))


@cache
def rendered(case: str) -> str:
    """What `render` prints, without the text of the runner, which has tests of its own."""
    return re.sub(r"\ndata:\n  __main__\.py: \|\n.*?\n---\n", f"\ndata: {RUNNER}\n---\n", printed(case), flags=re.S)


def children(case: str) -> Iterator[Manifest]:
    """The children of a case, without the text of the runner."""
    yield from yaml.safe_load_all(rendered(case))
