"""The published schemas: what the API server validates."""

from collections.abc import Iterator
from typing import Any

import cel
import pytest

from frappe_operator.api import crd
from frappe_operator.api.kinds import BENCH, SITE
from frappe_operator.kube.kinds import Kind

KINDS = pytest.mark.parametrize("kind", [BENCH, SITE], ids=["FrappeBench", "FrappeSite"])
Place = tuple[str, ...]


def places(schema: dict[str, Any], where: Place = ()) -> Iterator[tuple[Place, dict[str, Any]]]:
    """All schemas nested in a schema."""
    yield where, schema
    for name, inner in schema.get("properties", {}).items():
        yield from places(inner, (*where, name))
    for step in ("items", "additionalProperties"):
        if step in schema:
            yield from places(schema[step], (*where, f"<{step}>"))


def specification(kind: Kind) -> list[tuple[Place, dict[str, Any]]]:
    return [(where, schema) for where, schema in places(crd.schema(kind)) if where[:1] == ("spec",)]


@KINDS
def test_nothing_is_in_the_schema_that_structural_schemas_must_not_have(kind: Kind) -> None:
    for where, schema in places(crd.schema(kind)):
        assert not {"nullable", "$ref", "$defs", "anyOf", "oneOf", "title", "examples", "default"} & schema.keys(), (
            where
        )
        assert not ("properties" in schema and "additionalProperties" in schema), where
        assert schema.get("additionalProperties") is not False, where


@KINDS
def test_every_schema_has_a_type_but_those_of_numbers_or_text(kind: Kind) -> None:
    for where, schema in places(crd.schema(kind)):
        assert ("type" in schema) != schema.get("x-kubernetes-int-or-string", False), where


@KINDS
def test_every_field_of_a_spec_has_its_sentence(kind: Kind) -> None:
    for where, schema in specification(kind):
        if not where[-1].startswith("<"):
            assert schema.get("description", "").endswith("."), where


@KINDS
def test_everything_a_user_writes_has_a_limit(kind: Kind) -> None:
    """The limits also bound the cost of the rules, which the API server estimates from them."""
    for where, schema in specification(kind):
        if schema.get("type") == "string":
            assert "maxLength" in schema or "enum" in schema, where
        if schema.get("type") == "integer":
            assert {"minimum", "maximum"} <= schema.keys(), where
        if schema.get("type") == "array":
            assert "maxItems" in schema, where
        if "additionalProperties" in schema:
            assert "maxProperties" in schema, where


@KINDS
def test_lists_say_how_they_merge(kind: Kind) -> None:
    lists = {".".join(where): schema for where, schema in specification(kind) if schema.get("type") == "array"}
    for where, schema in lists.items():
        if schema.get("x-kubernetes-list-type") == "map":
            keys = schema["x-kubernetes-list-map-keys"]
            assert set(keys) <= set(schema["items"]["required"]), where


@KINDS
def test_every_rule_says_what_to_write_and_can_be_read(kind: Kind) -> None:
    for where, schema in places(crd.schema(kind)):
        for rule in schema.get(crd.VALIDATIONS, []):
            assert len(rule["message"]) > 20, where
            cel.compile(rule["rule"])


@KINDS
def test_what_cannot_change_is_a_rule_about_change(kind: Kind) -> None:
    about_change = {
        where
        for where, schema in places(crd.schema(kind))
        for rule in schema.get(crd.VALIDATIONS, [])
        if "oldSelf" in rule["rule"]
    }
    expected = {("spec",), ("spec", "benchRef"), ("spec", "siteName")} if kind is SITE else set()
    assert about_change == expected


def test_what_must_be_there() -> None:
    assert crd.schema(BENCH)["required"] == crd.schema(SITE)["required"] == ["spec"]
    assert crd.schema(BENCH)["properties"]["spec"]["required"] == ["frappeVersion"]
    assert crd.schema(SITE)["properties"]["spec"]["required"] == ["benchRef", "siteName"]


def test_an_amount_is_a_number_or_its_spelling() -> None:
    size = crd.schema(SITE)["properties"]["spec"]["properties"]["storage"]["properties"]["size"]
    assert size["x-kubernetes-int-or-string"] is True
    rule = cel.compile(size[crd.VALIDATIONS][0]["rule"])
    for fine in (5, "5Gi", "1.5Gi", "500m", "2", "1k"):
        assert rule.execute({"self": fine}), fine
    for wrong in ("", "5 Gi", "-5Gi", "5GB", "5K", "5ki", "Gi", "1e3", "05Gi", "+5Gi", -5):
        assert not rule.execute({"self": wrong}), wrong


@pytest.mark.parametrize(
    ("fine", "value"),
    [
        (True, {}),
        (True, {"apps": []}),
        (True, {"appsJSON": "[]"}),
        (False, {"apps": [], "appsJSON": "[]"}),
    ],
)
def test_apps_are_named_in_one_way(fine: bool, value: dict[str, object]) -> None:
    rule, _ = crd.schema(BENCH)["properties"]["spec"][crd.VALIDATIONS]
    assert cel.evaluate(rule["rule"], {"self": value}) is fine


@pytest.mark.parametrize(
    ("fine", "value"),
    [
        (True, {}),
        (True, {"mode": "shared"}),
        (True, {"mode": "external", "connectionSecretRef": {"name": "x"}}),
        (False, {"mode": "external"}),
        (False, {"mode": "shared", "connectionSecretRef": {"name": "x"}}),
        (False, {"connectionSecretRef": {"name": "x"}}),
        (False, {"mode": "dedicated", "connectionSecretRef": {"name": "x"}}),
    ],
)
def test_a_connection_belongs_to_an_external_database(fine: bool, value: dict[str, object]) -> None:
    rule, *_ = crd.schema(SITE)["properties"]["spec"]["properties"]["dbConfig"][crd.VALIDATIONS]
    assert cel.evaluate(rule["rule"], {"self": value}) is fine


@pytest.mark.parametrize("field", ["image", "resources", "storageSize", "storageClassName"])
def test_a_server_belongs_to_a_dedicated_database(field: str) -> None:
    rules = crd.schema(SITE)["properties"]["spec"]["properties"]["dbConfig"][crd.VALIDATIONS]
    (rule,) = (each for each in rules if each["message"].startswith(f"{field} belongs to mode: dedicated"))
    for mode, fine in (({}, False), ({"mode": "shared"}, False), ({"mode": "dedicated"}, True)):
        assert cel.evaluate(rule["rule"], {"self": {**mode, field: "x"}}) is fine
        assert cel.evaluate(rule["rule"], {"self": mode}) is True


@KINDS
def test_columns_show_fields_that_exist(kind: Kind) -> None:
    known = {where for where, _ in places(crd.schema(kind))}
    for name, _, path, _ in crd.COLUMNS[kind]:
        plain = path.split("[")[0].lstrip(".")
        assert tuple(plain.split(".")) in known or plain == "metadata.creationTimestamp", name


def test_definitions_are_named_after_their_plural_and_keep_status_apart() -> None:
    for definition, plural in zip(crd.definitions(), ("frappebenches", "frappesites"), strict=True):
        assert definition["metadata"]["name"] == f"{plural}.vyogo.tech"
        (version,) = definition["spec"]["versions"]
        assert version["subresources"] == {"status": {}}
        assert definition["spec"]["names"]["categories"] == ["frappe"]
