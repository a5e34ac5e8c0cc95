"""Each ingress controller whose annotations may be set has a page."""

from pathlib import Path

import pytest

from frappe_operator.components.route.ingress import SETTINGS
from frappe_operator.model.annotations import CONTROLLERS

DOCS = Path(__file__).parents[2] / "docs"
NAMED = [name for name in CONTROLLERS if name != "any"]


def page(controller: str) -> Path:
    return DOCS / "controllers" / f"{controller.lower().replace(' ', '-')}.md"


@pytest.mark.parametrize("controller", NAMED)
def test_it_has_a_page_that_the_guide_names(controller: str) -> None:
    assert page(controller).read_text(encoding="utf-8").startswith("# ")
    assert f"({page(controller).relative_to(DOCS)})" in (DOCS / "domains.md").read_text(encoding="utf-8")


def test_what_the_operator_sets_is_on_a_page() -> None:
    pages = "".join(page(controller).read_text(encoding="utf-8") for controller in NAMED)
    assert [name for name in SETTINGS if name.partition("/")[2] not in pages] == []
