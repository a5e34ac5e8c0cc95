"""Objects in, their children out: the YAML that ends up in people's clusters, to be read as they would."""

from pathlib import Path

import pytest
import yaml

from frappe_operator import runner
from frappe_operator.cli import source
from frappe_operator.cli.declared import Declared
from frappe_operator.cli.render import render
from frappe_operator.model.settings import Images

HERE = Path(__file__).parent
CASES = sorted(path.parent.name for path in HERE.glob("*/input.yaml"))
IMAGES = Images(
    frappe="frappe.example.net/erpnext",
    mariadb="mariadb.example.net/mariadb:1",
    redis="redis.example.net/redis:2",
    nginx="nginx.example.net/nginx:3",
)


def rendered(case: str) -> str:
    """What `render` prints, without the runner's text, which has tests of its own."""
    documents = source.read(str(HERE / case / "input.yaml"))
    text = "".join(render(Declared(documents, "default", IMAGES)))
    start, end = "data:\n  __main__.py: |\n", "\n---\n"
    head, _, rest = text.partition(start)
    _, _, tail = rest.partition(end)
    return f"{head}data: the files of the runner{end}{tail}"


@pytest.mark.parametrize("case", CASES)
def test_children_are_as_expected(case: str, pytestconfig: pytest.Config) -> None:
    expected, now = HERE / case / "expected.yaml", rendered(case)
    if pytestconfig.getoption("--update-golden", default=False):
        expected.write_text(now, encoding="utf-8")
    assert now == expected.read_text(encoding="utf-8")


def test_the_runner_is_shipped_whole() -> None:
    documents = source.read(str(HERE / "minimal" / "input.yaml"))
    stream = yaml.safe_load_all("".join(render(Declared(documents, "default", IMAGES))))
    data = next(each["data"] for each in stream if each["metadata"]["name"] == "pier-runner")
    assert data == runner.files()


def test_nothing_is_left_of_the_product_that_the_input_does_not_say() -> None:
    """Cases use their own names, so that what is swapped, or fixed by mistake, shows."""
    for case in CASES:
        text = "".join(line for line in rendered(case).splitlines() if not line.startswith("#"))
        assert "docker.io" not in text
        assert "production" not in text
