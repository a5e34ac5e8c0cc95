"""Every field of both kinds has an invalid value that is rejected with a message."""

from typing import Any

import pytest

from frappe_operator.api.kinds import BENCH, SITE
from frappe_operator.cli import rules, schema
from frappe_operator.kube.kinds import Kind
from tests.docs import invalid_values


@pytest.mark.parametrize("kind", [BENCH, SITE], ids=["FrappeBench", "FrappeSite"])
def test_every_field_has_an_invalid_value(kind: Kind) -> None:
    assert set(invalid_values.fields(kind)) == set(invalid_values.INVALID[kind])


@pytest.mark.parametrize(
    ("kind", "field", "spec", "message"), [*invalid_values.cases()], ids=lambda value: ascii(value)[:40]
)
def test_an_invalid_value_is_rejected_with_a_message(
    kind: Kind, field: str, spec: dict[str, Any], message: str
) -> None:
    manifest = {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": {"name": "pearl"}, "spec": spec}
    structure = schema.of(kind)
    found = list(schema.problems(manifest, structure))
    found += rules.problems(manifest, structure, {each.where for each in found})
    assert any(message in each.message for each in found), found


@pytest.mark.parametrize("kind", [BENCH, SITE], ids=["FrappeBench", "FrappeSite"])
def test_the_minimal_spec_is_valid(kind: Kind) -> None:
    manifest = {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": {"name": "pearl"}}
    manifest["spec"] = invalid_values.MINIMAL[kind]
    assert list(schema.problems(manifest, schema.of(kind))) == []
