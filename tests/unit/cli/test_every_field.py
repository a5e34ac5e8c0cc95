"""Every field of both kinds refuses something, in words that say what to write. The API server's are the same words."""

from typing import Any

import pytest

from frappe_operator.api.kinds import BENCH, SITE
from frappe_operator.cli import rules, schema
from frappe_operator.kube.kinds import Kind
from tests.docs import wrong


@pytest.mark.parametrize("kind", [BENCH, SITE], ids=["FrappeBench", "FrappeSite"])
def test_every_field_has_a_value_that_is_refused(kind: Kind) -> None:
    assert set(wrong.fields(kind)) == set(wrong.WRONG[kind])


@pytest.mark.parametrize(("kind", "field", "spec", "words"), [*wrong.cases()], ids=lambda value: ascii(value)[:40])
def test_a_wrong_value_is_refused_in_words(kind: Kind, field: str, spec: dict[str, Any], words: str) -> None:
    made = {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": {"name": "pearl"}, "spec": spec}
    structure = schema.of(kind)
    found = list(schema.problems(made, structure))
    found += rules.problems(made, structure, {each.where for each in found})
    assert any(words in each.message for each in found), found


@pytest.mark.parametrize("kind", [BENCH, SITE], ids=["FrappeBench", "FrappeSite"])
def test_what_the_wrong_values_are_put_into_is_right(kind: Kind) -> None:
    made = {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": {"name": "pearl"}}
    made["spec"] = wrong.MINIMAL[kind]
    assert list(schema.problems(made, schema.of(kind))) == []
