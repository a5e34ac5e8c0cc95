"""What must never be done, in whatever order things happen, and how it must be in the end."""

import base64
from functools import cache
from typing import TYPE_CHECKING, Any

import orjson

from frappe_operator.kube.objects import Manifest
from frappe_operator.runtime.apply.children import INPUTS
from tests.modelcheck.minimal_controller import (
    CLAIM,
    FIRST,
    KEY_SECRET,
    LABEL,
    NAMES,
    OWNER,
    REFS,
    SECOND,
    SEW,
    SHELF,
    stages,
)
from tests.modelcheck.objects import ENTRIES, TEXTS, Entry, manifest, text
from tests.modelcheck.server import Answer, ApiRequest, owner_uid

if TYPE_CHECKING:
    from tests.modelcheck.state import MutableState

DATA = (CLAIM, KEY_SECRET)
"""What outlives the Toy, unless its deletion is to delete it."""
ONCE = (KEY_SECRET, SEW)


class Violation(Exception):
    """Something that must never be. With what was done, and, once it is known, how it came to that."""

    def __init__(self, what: str, done: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.done = done
        self.path: list[str] = []

    def __str__(self) -> str:
        steps = [f"{number:3}. {step}" for number, step in enumerate([*self.path, self.done], 1) if step]
        return "\n".join([self.what, *steps])


def check(new: "MutableState", request: ApiRequest, before: Entry | None, answer: Answer) -> None:
    """Looks at a write of ours that the server has just done. `before`: the object as it was."""
    if not request.writes or answer.code >= 300:
        return
    if request.part == OWNER:
        assert before is not None
        _CHECKS_OF_OWNER[request.verb](new, before)
    elif request.verb == "delete":
        assert before is not None
        _deleted(new, before)
    elif before is None:
        _made(new, request)
    else:
        _changed(before)


def _made(new: "MutableState", request: ApiRequest) -> None:
    owner = new.live(OWNER)
    if owner is None:
        raise Violation(f"{NAMES[request.part]} is made for a Toy that is gone")
    if not owner.finalizer:
        raise Violation(f"{NAMES[request.part]} is made before the Toy has its finalizer")
    child = new.live(request.part)
    assert child is not None
    if owner_uid(child) != ("" if request.part in DATA else owner.uid):
        raise Violation(f"{NAMES[request.part]} belongs to another Toy")


def _changed(before: Entry) -> None:
    if before.strange:
        raise Violation(f"{NAMES[before.part]} is another's, and overwritten")
    if before.part in ONCE:
        raise Violation(f"{NAMES[before.part]} is made once, and written again")


def _deleted(new: "MutableState", before: Entry) -> None:
    name, owner = NAMES[before.part], new.live(OWNER)
    if before.strange:
        raise Violation(f"{name} is another's, and deleted")
    if owner is None:
        raise Violation(f"{name} is deleted for a Toy that is gone")
    spec = manifest(owner.what)
    if before.part in DATA:
        if not owner.deleting or spec["deletionPolicy"] != "Delete":
            raise Violation(f"{name} is deleted, and nobody asked for it")
        return
    if owner_uid(before) != owner.uid:
        raise Violation(f"{name} of another Toy is deleted")
    if owner.deleting:
        return
    if before.part == SEW:
        if "succeeded" in manifest(before.status):
            raise Violation("a Job that has succeeded is deleted")
        if manifest(before.what)["metadata"]["annotations"][INPUTS] == spec["revision"]:
            raise Violation("a Job is deleted that works on what it should")
    elif before.part == SHELF or "note" in spec:
        raise Violation(f"{name} is wanted, and deleted")


def _finalizers(new: "MutableState", before: Entry) -> None:
    after = new.live(OWNER)
    if after is not None and after.finalizer:
        if before.deleting:
            raise Violation("the finalizer is set on a Toy that is being deleted")
        return
    if not before.finalizer:
        return
    if not before.deleting:
        raise Violation("the finalizer is taken from a Toy that nobody has deleted")
    drop = manifest(before.what)["deletionPolicy"] == "Delete"
    for index in DATA if drop else ():
        child = new.live(index)
        if child is not None and not child.deleting:
            raise Violation(f"the Toy goes, and {NAMES[index]}, which should go with it, is still there")
    new.environment = new.environment._replace(dropped=drop)


def _status(new: "MutableState", before: Entry) -> None:
    after = new.live(OWNER)
    assert after is not None
    ready = _ready(after.status, after.generation)
    # A Toy that goes takes its children along, whatever was reported of it a moment ago.
    if ready and not after.deleting and not new.model.strangers:
        for index, wanted in _wanted(text(FIRST if ready == 1 else SECOND)).items():
            if not any(_is(ENTRIES[number], wanted) for number in new.things[index].chain):
                raise Violation(f"Ready is True for generation {ready}, and {NAMES[index]} is not of it")


@cache
def _ready(status: int, generation: int) -> int:
    """The generation that Ready is True for; 0 when it is not. Raises Violation for a status that cannot be so."""
    said = manifest(status)
    conditions = {each["type"]: each for each in said["conditions"]}
    if any(each["observedGeneration"] > generation for each in conditions.values()):
        raise Violation("a condition speaks of a generation that is still to come")
    ready = conditions["Ready"]
    if ready["status"] != "True":
        return 0
    for name, each in conditions.items():
        if each["observedGeneration"] != ready["observedGeneration"]:
            raise Violation(f"Ready is True, and {name} is of another generation")
        if each["status"] != "True" and name not in ("Reconciling", "Stalled"):
            raise Violation(f"Ready is True, and {name} is not")
    generation_of_ready: int = ready["observedGeneration"]
    return generation_of_ready


_CHECKS_OF_OWNER = {"finalizers": _finalizers, "status": _status}


@cache
def _wanted(spec: int) -> dict[int, int]:
    """What a spec wants, by object: its manifest, less its owner."""
    by_name = {ref.name: index for index, ref in enumerate(REFS)}
    found = {}
    for stage in stages(manifest(spec)):
        for each in (*stage.children, *stage.once):
            found[by_name[each["metadata"]["name"]]] = text(_bare(each))
    return found


@cache
def _bare_of(what: int) -> int:
    return text(_bare(manifest(what)))


def _bare(said: Manifest) -> Manifest:
    metadata = {name: value for name, value in said["metadata"].items() if name != "ownerReferences"}
    rest = {name: value for name, value in said.items() if name != "stringData"}
    if "stringData" in said:
        rest["data"] = {n: base64.b64encode(value.encode()).decode() for n, value in said["stringData"].items()}
    return {**rest, "metadata": metadata}


def _is(entry: Entry | None, wanted: int) -> bool:
    if entry is None or entry.gone or entry.deleting or entry.meddled or entry.strange:
        return False
    return entry.part in ONCE or _bare_of(entry.what) == wanted


def arrived(new: "MutableState") -> str:
    """What is not as it should be in the end; empty when all is well."""
    owner = new.live(OWNER)
    return _gone(new) if owner is None else _settled(new, owner)


def _gone(new: "MutableState") -> str:
    for index in (SEW, SHELF, LABEL, *(DATA if new.environment.dropped else ())):
        child = new.live(index)
        if child is not None and not child.strange:
            return f"the Toy is gone, and {NAMES[index]} is left behind"
    return ""


def _settled(new: "MutableState", owner: Entry) -> str:
    if owner.deleting:
        return "the Toy is deleted, and does not go"
    wanted = _wanted(owner.what)
    conditions: dict[str, Any] = {each["type"]: each for each in _said(owner.status).get("conditions", [])}
    ready = conditions.get("Ready", {})
    if ready.get("observedGeneration") != owner.generation:
        return "Ready does not speak of the newest generation"
    label = new.live(LABEL)
    in_the_way = LABEL in wanted and label is not None and label.strange
    if in_the_way and ready["reason"] != "NameConflict":
        return "the status does not say what is in the way"
    if (ready["status"] == "True") is in_the_way:
        return f"Ready is {ready['status']}: {ready['message']}"
    for index, manifest_ in wanted.items():
        if not _is(new.live(index), manifest_) and not (index == LABEL and in_the_way):
            return f"{NAMES[index]} is not what the spec says"
    if LABEL not in wanted and label is not None and not label.strange:
        return f"{NAMES[LABEL]} is there, and not wanted any more"
    claim = new.live(CLAIM)
    if claim is None or new.environment.mark != claim.born or new.environment.effects != 1:
        return "the Job has not worked exactly once"
    return ""


def _said(status: int) -> Manifest:
    said: Manifest = orjson.loads(TEXTS[status])
    return said
