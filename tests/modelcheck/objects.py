"""Versions of objects, each a small number: what states are made of. The same version is the same number."""

from typing import Any, NamedTuple

import orjson

from frappe_operator.kube.live import OPERATOR_NAME
from frappe_operator.kube.objects import Manifest
from tests.modelcheck.minimal_controller import CLAIM, FINALIZER, LABEL, OWNER, REFS, SHELF

FIRST_VERSION = 10
"""Not 1, which no object ever has."""
APPLIED = (CLAIM, SHELF, LABEL)
"""Kept by server-side apply; the others are created once."""
NOTHING = 0
"""The number of an object that never was, or is gone and forgotten."""


class Entry(NamedTuple):
    """One version of one object."""

    part: int
    born: int
    """Makes its UID."""
    version: int
    generation: int
    what: int
    """The manifest or, of the Toy, the spec, as a number."""
    status: int = 0
    """The same of its status."""
    deleting: bool = False
    finalizer: bool = False
    meddled: bool = False
    """Another has changed a field of ours."""
    strange: bool = False
    """It was made by another, who did not label it: our watches do not show it."""
    gone: bool = False
    """Its last version, which the watch tells when it is deleted."""

    @property
    def uid(self) -> str:
        return uid_of(self.part, self.born)


def uid_of(index: int, born: int) -> str:
    return f"{REFS[index].name}-{born}"


class Numbered:
    """Values by number, and numbers by value."""

    def __init__(self, *values: Any) -> None:
        self.values: list[Any] = []
        self._numbers: dict[Any, int] = {}
        for value in values:
            self.number(value)

    def number(self, value: Any) -> int:
        found = self._numbers.get(value)
        if found is None:
            found = self._numbers[value] = len(self.values)
            self.values.append(value)
        return found

    def __getitem__(self, number: int) -> Any:
        return self.values[number]

    def __len__(self) -> int:
        return len(self.values)


TEXTS = Numbered(b"{}")
"""Manifests, specs and statuses as JSON."""
ENTRIES = Numbered(None)
_BODIES: dict[int, bytes] = {}


def text(value: Manifest) -> int:
    """The number of a manifest."""
    return TEXTS.number(orjson.dumps(value, option=orjson.OPT_SORT_KEYS))


def manifest(number: int) -> Manifest:
    value: Manifest = orjson.loads(TEXTS[number])
    return value


def body(number: int) -> bytes:
    """A version as the API server sends it."""
    found = _BODIES.get(number)
    if found is None:
        found = _BODIES[number] = orjson.dumps(_whole(ENTRIES[number]))
    return found


def _whole(entry: Entry) -> Manifest:
    ref, said = REFS[entry.part], manifest(entry.what)
    whole: Manifest = {"apiVersion": ref.kind.api_version, "kind": ref.kind.kind}
    whole |= {"spec": said} if entry.part == OWNER else said
    whole["metadata"] = {
        "name": ref.name,
        "namespace": ref.namespace,
        **said.get("metadata", {}),
        "uid": entry.uid,
        "resourceVersion": str(entry.version),
        "generation": entry.generation,
        "creationTimestamp": "2026-01-01T00:00:00Z",
    }
    if entry.deleting:
        whole["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    if entry.finalizer:
        whole["metadata"]["finalizers"] = [FINALIZER]
    if entry.part in APPLIED and not entry.strange:
        ours = {"manager": OPERATOR_NAME, "operation": "Apply", "fieldsV1": _fields(said)}
        whole["metadata"]["managedFields"] = [ours]
    if entry.meddled:
        if entry.part == SHELF:
            whole["spec"]["replicas"] = 7
        elif entry.part == LABEL:
            whole["data"]["note"] = "mine"
    if entry.status:
        whole["status"] = manifest(entry.status)
    return whole


def _fields(said: Manifest) -> Manifest:
    below = {f"f:{name}": _fields(value) if isinstance(value, dict) else {} for name, value in said.items()}
    for unowned in ("f:apiVersion", "f:kind", "f:name", "f:namespace"):
        below.pop(unowned, None)
    return below
