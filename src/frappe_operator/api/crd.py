"""The two kinds as CustomResourceDefinitions: schema, CEL rules, columns. A pure function of the models."""

from typing import Any

from msgspec import Struct, inspect

from frappe_operator.api.frappebench import FrappeBench
from frappe_operator.api.frappesite import FrappeSite
from frappe_operator.api.kinds import BENCH, SITE
from frappe_operator.kube.kinds import Kind
from frappe_operator.kube.names import GROUP
from frappe_operator.kube.objects import Manifest

Schema = dict[str, Any]

READY = "?(@.type=='Ready')"
COLUMNS: dict[Kind, list[tuple[str, str, str, int]]] = {
    BENCH: [
        ("Ready", "string", f".status.conditions[{READY}].status", 0),
        ("Reason", "string", f".status.conditions[{READY}].reason", 0),
        ("Version", "string", ".status.image.frappeVersion", 0),
        ("Sites", "integer", ".status.sites", 0),
        ("Age", "date", ".metadata.creationTimestamp", 0),
        ("Apps", "string", ".status.installedApps", 1),
        ("Image", "string", ".status.image.reference", 1),
        ("Message", "string", f".status.conditions[{READY}].message", 1),
    ],
    SITE: [
        ("Ready", "string", f".status.conditions[{READY}].status", 0),
        ("Reason", "string", f".status.conditions[{READY}].reason", 0),
        ("URL", "string", ".status.siteURL", 0),
        ("Bench", "string", ".spec.benchRef.name", 0),
        ("Upgrade", "string", ".status.upgrade.step", 0),
        ("Age", "date", ".metadata.creationTimestamp", 0),
        ("Phase", "string", ".status.phase", 1),
        ("Database", "string", ".status.databaseName", 1),
        ("Version", "string", ".status.frappeVersion", 1),
        ("Message", "string", f".status.conditions[{READY}].message", 1),
    ],
}
SHORT_NAMES: dict[Kind, str] = {BENCH: "fb", SITE: "fs"}
MODELS: dict[Kind, type[Struct]] = {BENCH: FrappeBench, SITE: FrappeSite}

CONDITION: Schema = {
    "type": "object",
    "required": ["type", "status", "reason", "message", "lastTransitionTime"],
    "properties": {
        "type": {"type": "string", "maxLength": 316},
        "status": {"type": "string", "enum": ["True", "False", "Unknown"]},
        "reason": {"type": "string", "maxLength": 1024},
        "message": {"type": "string", "maxLength": 32768},
        "lastTransitionTime": {"type": "string", "format": "date-time"},
        "observedGeneration": {"type": "integer", "format": "int64", "minimum": 0},
    },
}
VALIDATIONS = "x-kubernetes-validations"
NAME: Schema = {
    "rule": "self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')",
    "message": "metadata.name is part of the names of Services: it must begin with a lowercase letter and contain only "
    "lowercase letters, digits and '-'",
    "fieldPath": ".metadata.name",
}
COMMON_STATUS: dict[str, Schema] = {
    "phase": {
        "type": "string",
        "description": "Summary of the conditions for display: Pending, Provisioning, Ready, Off, Failed or Deleting.",
    },
    "observedGeneration": {
        "type": "integer",
        "format": "int64",
        "description": "Generation of the spec that this status describes.",
    },
    "conditions": {
        "type": "array",
        "description": "One condition per stage, followed by Ready, Reconciling and Stalled.",
        "items": CONDITION,
        "maxItems": 32,
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["type"],
    },
}


def definitions() -> list[Manifest]:
    """The CustomResourceDefinitions of every kind."""
    return [definition(kind) for kind in MODELS]


def definition(kind: Kind) -> Manifest:
    """One kind's CustomResourceDefinition."""
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {
            "name": f"{kind.plural}.{GROUP}",
            "labels": {"app.kubernetes.io/name": "frappe-operator"},
        },
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {
                "kind": kind.kind,
                "listKind": f"{kind.kind}List",
                "plural": kind.plural,
                "singular": kind.kind.lower(),
                "shortNames": [SHORT_NAMES[kind]],
                "categories": ["frappe"],
            },
            "versions": [
                {
                    "name": kind.version,
                    "served": True,
                    "storage": True,
                    "subresources": {"status": {}},
                    "additionalPrinterColumns": [
                        {"name": name, "type": type_, "jsonPath": path, "priority": priority}
                        for name, type_, path, priority in COLUMNS[kind]
                    ],
                    "schema": {"openAPIV3Schema": schema(kind)},
                }
            ],
        },
    }


def schema(kind: Kind) -> Schema:
    """The structural schema of one kind."""
    model = MODELS[kind]
    result = _struct(inspect.type_info(model))
    result["properties"]["status"]["properties"].update(COMMON_STATUS)
    result["properties"] = {
        "apiVersion": {"type": "string"},
        "kind": {"type": "string"},
        "metadata": {
            "type": "object",
            "properties": {"name": {"type": "string", "maxLength": 63}},
        },
        **result["properties"],
    }
    result[VALIDATIONS] = [NAME]
    return result


def _struct(info: inspect.Type) -> Schema:
    assert isinstance(info, inspect.StructType), info
    properties = {field.encode_name: _type(field.type) for field in info.fields}
    description = (info.cls.__doc__ or "").strip()
    result: Schema = {"type": "object", "description": description, "properties": properties}
    if required := [field.encode_name for field in info.fields if field.required]:
        result["required"] = required
    if rules := getattr(info.cls, "rules", ()):
        result[VALIDATIONS] = [{"rule": rule.rule, "message": rule.message} for rule in rules]
    return result


def _type(info: inspect.Type) -> Schema:
    match info:
        case inspect.Metadata(type=inner, extra_json_schema=extra):
            extra = dict(extra or {})
            if examples := extra.pop("examples", None):
                extra["example"] = examples[0]
            found = _type(inner)
            rules = [*found.get(VALIDATIONS, []), *extra.pop(VALIDATIONS, [])]
            return {**found, **extra, **({VALIDATIONS: rules} if rules else {})}
        case inspect.UnionType(types=types):
            some = [each for each in types if not isinstance(each, inspect.NoneType)]
            if len(some) == 1:
                return _type(some[0])
            # The only real union is a quantity: a number or its spelling. Such a schema has no `type`.
            return {"x-kubernetes-int-or-string": True}
        case inspect.StructType():
            return _struct(info)
        case inspect.StrType(min_length=low, max_length=high, pattern=pattern):
            return _with({"type": "string"}, minLength=low, maxLength=high, pattern=pattern)
        case inspect.IntType(ge=low, le=high):
            return _with({"type": "integer"}, minimum=low, maximum=high)
        case inspect.BoolType():
            return {"type": "boolean"}
        case inspect.LiteralType(values=values):
            return {"type": "string", "enum": list(values)}
        case inspect.ListType(item_type=item, max_length=high):
            return _with({"type": "array", "items": _type(item)}, maxItems=high)
        case inspect.DictType(value_type=value):
            return {"type": "object", "additionalProperties": _type(value)}
        case _:
            raise TypeError(f"no schema for {info}")


def _with(schema: Schema, **limits: Any) -> Schema:
    return {**schema, **{name: value for name, value in limits.items() if value is not None}}
