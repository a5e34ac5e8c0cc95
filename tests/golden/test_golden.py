"""Objects in, their children out: the YAML that ends up in people's clusters, to be reviewed as they would read it."""

import pytest
import yaml

from frappe_operator import runner
from tests.golden.cases import BASE, CASES, OTHERS, expected, printed, rendered
from tests.golden.difference import difference
from tests.golden.released import fingerprints, released


def test_the_base_renders_as_expected() -> None:
    assert rendered(BASE) == expected(BASE).read_text(encoding="utf-8")


@pytest.mark.parametrize("case", OTHERS)
def test_a_case_differs_from_the_base_as_expected(case: str) -> None:
    assert difference(rendered(BASE), rendered(case)) == expected(case).read_text(encoding="utf-8")


def test_the_runner_is_shipped_whole() -> None:
    data = next(each["data"] for each in yaml.safe_load_all(printed(BASE)) if each["metadata"]["name"] == "pier-runner")
    assert data == runner.files()


@pytest.mark.parametrize("case", CASES)
def test_nothing_is_rendered_that_belongs_to_the_product_and_not_to_the_input(case: str) -> None:
    """The cases use names and images of their own, so that a constant where a value belongs is found."""
    text = "".join(line for line in rendered(case).splitlines() if not line.startswith("#"))
    assert "docker.io" not in text
    assert "production" not in text


def test_a_new_version_of_the_operator_restarts_no_pod() -> None:
    now = fingerprints()
    assert {case: now.get(case) for case in released()} == released()
