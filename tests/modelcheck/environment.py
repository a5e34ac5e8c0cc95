"""Everybody but the operator: the cluster, which does its part in the end, and people, who may do anything."""

from collections.abc import Callable, Iterator
from functools import partial

import orjson

from tests.modelcheck.minimal_controller import CLAIM, FIRST, KEY_SECRET, LABEL, NAMES, OWNER, REFS, SECOND, SEW, SHELF
from tests.modelcheck.objects import ENTRIES, FIRST_VERSION, Entry, body, text
from tests.modelcheck.properties import Violation
from tests.modelcheck.server import next_version, owner_uid, removed
from tests.modelcheck.state import MutableState

SPECS = (text(FIRST), text(SECOND))
COMPLETE = text({"conditions": [{"type": "Complete", "status": "True"}], "succeeded": 1})
FAILED_ONCE = text({"failed": 1, "active": 1})
BOUND = text({"phase": "Bound"})
STRANGE = text({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {}, "data": {"note": "not yours"}})

Change = Callable[[MutableState], None]


def cluster_acts(now: MutableState) -> Iterator[tuple[str, Change]]:
    """What the cluster's controllers, its nodes and the programs in them do in the end, whatever else happens."""
    owner, claim, job, shelf = (now.live(index) for index in (OWNER, CLAIM, SEW, SHELF))
    for index in range(1, len(REFS)):
        child = now.live(index)
        of = owner_uid(child) if child and not child.strange else ""
        if child and of and (owner is None or owner.uid != of):
            yield f"garbage collection takes {NAMES[index]}", partial(_put, entry=removed(child))
    if claim and claim.deleting and not job and not shelf:
        yield "the claim goes, nothing uses it any more", _let_go
    if claim and claim.status != BOUND and not claim.deleting:
        yield "the claim is bound", partial(_put, entry=next_version(claim, status=BOUND))
    if job and claim and claim.status == BOUND and job.status != COMPLETE:
        if now.environment.mark != claim.born:
            yield "the Job's program works, and leaves its mark on the volume", _work
        else:
            yield "the Job finishes", partial(_put, entry=next_version(job, status=COMPLETE))
    if shelf and claim and claim.status == BOUND and shelf.status != _ready(shelf):
        yield "the Deployment's pods are ready", partial(_put, entry=next_version(shelf, status=_ready(shelf)))


def people_act(now: MutableState) -> Iterator[tuple[str, Change]]:
    owner, environment = now.live(OWNER), now.environment
    if now.model.limits.job_fails and (job := now.live(SEW)) and not job.status:
        yield "the Job fails once", partial(_put, entry=next_version(job, status=FAILED_ONCE))
    if owner and environment.edits and owner.what == SPECS[0]:
        yield "somebody changes the Toy's spec", partial(_edit, owner=owner)
    if owner and environment.deletions and not owner.deleting:
        yield "somebody deletes the Toy", partial(_remove, owner=owner)
    if owner is None and environment.comebacks:
        yield "somebody creates the Toy again", _come_back
    if environment.meddling:
        yield from _meddling(now)


def _meddling(now: MutableState) -> Iterator[tuple[str, Change]]:
    for index in range(1, len(REFS)):
        child = now.live(index)
        if index == LABEL and "replace" in now.model.strangers and not (child and child.strange):
            yield "another puts a ConfigMap of that name there", _replace
        if child is None:
            continue
        if child.strange:
            yield f"another takes {NAMES[index]} away", partial(_meddle, entry=removed(child))
            continue
        if "delete" in now.model.strangers and index not in (CLAIM, KEY_SECRET):
            yield f"another deletes {NAMES[index]}", partial(_meddle, entry=removed(child))
        if "edit" in now.model.strangers and index in (SHELF, LABEL) and not child.meddled:
            edited = next_version(child, meddled=True, generation=child.generation + 1)
            yield f"another edits {NAMES[index]}", partial(_meddle, entry=edited)


def _put(new: MutableState, entry: Entry) -> None:
    new.put(entry)


def _meddle(new: MutableState, entry: Entry) -> None:
    new.environment = new.environment._replace(meddling=new.environment.meddling - 1)
    new.put(entry)


def _replace(new: MutableState) -> None:
    live = new.live(LABEL)
    if live is not None:
        new.put(removed(live))
    _meddle(new, Entry(LABEL, new.born(LABEL) + 1, FIRST_VERSION, 1, STRANGE, strange=True))


def _work(new: MutableState) -> None:
    claim = new.live(CLAIM)
    assert claim is not None
    if new.environment.effects:
        raise Violation("the Job works twice, and the first time is not undone")
    new.environment = new.environment._replace(mark=claim.born, effects=1)


def _let_go(new: MutableState) -> None:
    claim = new.live(CLAIM)
    assert claim is not None
    new.environment = new.environment._replace(mark=0, effects=0)
    new.put(next_version(claim, gone=True))


def _edit(new: MutableState, owner: Entry) -> None:
    new.environment = new.environment._replace(edits=new.environment.edits - 1)
    new.put(next_version(owner, what=SPECS[1], generation=owner.generation + 1))


def _remove(new: MutableState, owner: Entry) -> None:
    new.environment = new.environment._replace(deletions=new.environment.deletions - 1)
    new.put(removed(owner))


def _come_back(new: MutableState) -> None:
    new.environment = new.environment._replace(comebacks=new.environment.comebacks - 1, dropped=False)
    new.put(Entry(OWNER, new.born(OWNER) + 1, FIRST_VERSION, 1, SPECS[0]))


def _ready(shelf: Entry) -> int:
    """The status of a Deployment whose pods are all ready."""
    count = orjson.loads(body(ENTRIES.number(shelf)))["spec"]["replicas"]
    names = ("replicas", "updatedReplicas", "readyReplicas", "availableReplicas")
    return text({"observedGeneration": shelf.generation, **dict.fromkeys(names, count)})
