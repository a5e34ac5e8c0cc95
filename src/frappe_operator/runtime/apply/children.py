"""The one place that writes children: what the stages name exists and is right, and what they name no more is gone."""

import asyncio
import base64
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import structlog

from frappe_operator.kube.kinds import GROUP, SECRET, Kind, Manifest, Ref, ref_of
from frappe_operator.kube.live import CONTROLLED_BY_US, Job, Live
from frappe_operator.kube.names import INSTANCE, MANAGED_BY
from frappe_operator.kube.stage import Reason, Stage, Verdict
from frappe_operator.runtime.apply import limits
from frappe_operator.runtime.apply.finalizers import ConfirmedOwners
from frappe_operator.runtime.apply.refusals import Question, Refusal, Refusals
from frappe_operator.runtime.cache.decoding import CachedObject
from frappe_operator.runtime.client.errors import AlreadyExists, ApiError, Conflict, Forbidden, Invalid
from frappe_operator.runtime.cluster import Cluster, Writer
from frappe_operator.runtime.drift import difference, fingerprint, stale_field

log = structlog.get_logger(__name__)

INPUTS = f"{GROUP}/inputs"
"""Annotation of a Job that stands for what it works on: an unfinished one whose inputs have changed starts again."""
ABSENT: Manifest = {"resourceVersion": "1"}
"""Metadata of an apply that may only create: no object ever has this resourceVersion, and where there is none, the
server does not look at it."""
UNSEEN_AGAIN_SECONDS = 60.0
"""When to look again at what is in the way and not in our view: nothing tells us when it goes."""
FORBIDDEN_SECONDS = 60.0
"""How long a refusal stands while nothing changes: a quota is often made room in."""
INVALID_SECONDS = 600.0
"""The same, of what breaks a rule: only another admission policy would make a difference."""
LONGEST_MESSAGE = 1000


class Done(NamedTuple):
    """What came of it."""

    verdicts: dict[str, Verdict]
    """By condition, in the order of the stages."""
    written: list[Ref]
    """What was created or changed."""


async def apply(
    cluster: Cluster, kind: Kind, owner: Live, stages: Sequence[Stage], *, prune: Collection[Kind] = ()
) -> Done:
    """Makes the children of `owner`, an object of `kind`, what the stages say.

    A stage that is not true yet holds back those that come after it (Stage.after) and have not begun. A stage has begun
    once one of its `children` exists: from then on it is kept whole, so that a deleted Deployment of a running site
    comes back whatever else is not as it should be. Children of the kinds in `prune` that no stage names are deleted.
    A child the API server refuses makes its stage false and stops nothing else. Raises ApiError and TransportError for
    what trying again may mend.
    """
    children = _Children(cluster, kind, owner)
    verdicts: dict[str, Verdict] = {}
    for stage in stages:
        verdict = await children.keep(stage, _waits_for(stage, verdicts))
        known = verdicts.get(stage.condition)
        if known is None or known.ok:
            verdicts[stage.condition] = verdict
    await children.prune(stages, prune)
    children.raise_failure()
    return Done(verdicts, children.written)


@dataclass
class _Child:
    """One object as it is wanted."""

    ref: Ref
    manifest: Manifest
    once: bool
    kept: bool
    """Has no owner reference, so that it outlives its owner: ours by its labels."""

    @cached_property
    def digest(self) -> int:
        """Worked out where something is compared with it: while an object is young, most of its children are not there
        yet, or were made once."""
        # A generated Secret is another one at each pass.
        random = self.once and self.ref.kind == SECRET
        return fingerprint({"metadata": self.manifest["metadata"]} if random else self.manifest)


class _Children:
    """The children of one object, during one pass."""

    def __init__(self, cluster: Cluster, kind: Kind, owner: Live) -> None:
        self._cluster = cluster
        self._kind = kind
        self._owner = owner
        self._writer = kind, owner.metadata.key
        self._refusals = cluster.state(Refusals)
        self.written: list[Ref] = []
        self._failure: ApiError | None = None
        """The first answer that trying again may mend."""

    async def keep(self, stage: Stage, waits_for: str) -> Verdict:
        """Brings the children of one stage about, and says whether it is true."""
        children = [self._child(each, once=False) for each in stage.children]
        children += [self._child(each, once=True) for each in stage.once]
        begun = any(not child.once and self._exists(child) for child in children)
        held, pending = False, []
        for child in children:
            item = self._cluster.cached(child.ref)
            if item is None and waits_for and (child.once or not begun):
                held = True
            elif item is None or not self._settled(child, item):
                pending.append(child)
        if any(self._live(child.ref) is None for child in pending):
            await self._know_owner()
        # All are tried before a failure ends the pass: one sick child must not starve its neighbours.
        results = await asyncio.gather(*(self._tried(child) for child in pending), return_exceptions=True)
        troubles = []
        for result in results:
            if isinstance(result, BaseException):
                raise result
            if result is not None:
                troubles.append(result)
        if troubles:
            return troubles[0]
        if held:
            return Verdict(False, Reason.WAITING, f"Waits for {waits_for}")
        return stage.ready([self._live(child.ref) for child in children])

    def raise_failure(self) -> None:
        """Raises what trying again may mend."""
        failure, self._failure = self._failure, None
        try:
            if failure is not None:
                raise failure
        finally:
            # An exception knows this frame, and through it would know itself: a circle around all manifests of the
            # pass, which only the garbage collector opens.
            del failure

    async def prune(self, stages: Sequence[Stage], kinds: Collection[Kind]) -> None:
        """Deletes the children that no stage names, after a fresh look at whose they are."""
        named = {ref_of(manifest) for stage in stages for manifest in (*stage.children, *stage.once)}
        for stage in stages:
            if any(self._live(ref_of(manifest)) is None for manifest in stage.once):
                named.update(stage.replaces)
        for kind, live in self._cluster.owned(self._owner.metadata.uid):
            meta = live.metadata
            if kind not in kinds or live.deleting or Ref(kind, meta.namespace, meta.name) in named:
                continue
            fresh = await self._cluster.metadata(kind, meta.namespace, meta.name)
            if fresh is not None and fresh.metadata.uid == meta.uid and self._owned(fresh):
                log.info("child not wanted any more", kind=kind.kind, namespace=meta.namespace, name=meta.name)
                await self._cluster.delete(kind, meta.namespace, meta.name, meta.uid)

    async def _know_owner(self) -> None:
        """Looks whether the owner still is what we were shown. Raises Conflict: by a process that sees the past nothing
        is made for one that another has taken apart."""
        meta, confirmed = self._owner.metadata, self._cluster.state(ConfirmedOwners).uids
        if meta.creation_timestamp > self._cluster.leading_since or meta.uid in confirmed:
            return
        body = await self._cluster.read(self._kind, meta.namespace, meta.name)
        fresh = body["metadata"] if body else {}
        if fresh.get("uid") != meta.uid or ("deletionTimestamp" in fresh and not self._owner.deleting):
            raise Conflict(409, "Changed", f"{self._kind.kind} {meta.key} is not what it was a moment ago")
        confirmed.add(meta.uid)

    def _child(self, manifest: Manifest, *, once: bool) -> _Child:
        ref = ref_of(manifest)
        if ref.kind not in self._cluster.cache.stores:
            raise ValueError(f"{ref.kind.kind} {ref.name} is to be kept, but its kind is not watched")
        metadata = dict(manifest["metadata"])
        kept = metadata.get("ownerReferences") == []
        if kept:
            del metadata["ownerReferences"]
        elif "ownerReferences" not in metadata:
            metadata["ownerReferences"] = [self._reference()]
        return _Child(ref, {**_with_data(manifest), "metadata": metadata}, once, kept)

    def _reference(self) -> Manifest:
        return {
            "apiVersion": self._kind.api_version,
            "kind": self._kind.kind,
            "name": self._owner.metadata.name,
            "uid": self._owner.metadata.uid,
            "controller": True,
            "blockOwnerDeletion": True,
        }

    def _settled(self, child: _Child, item: CachedObject) -> bool:
        """Whether the child is seen to be right, or nothing has changed since it was found to be."""
        if item.live.deleting:
            return False
        if child.once:
            return self._ours(child, item.live) and not _outdated(child, item.live)
        return child.digest == item.applied or item.verified == hash((child.digest, item.digest))

    def _exists(self, child: _Child) -> bool:
        live = self._live(child.ref)
        return live is not None and self._ours(child, live)

    def _live(self, ref: Ref) -> Live | None:
        item = self._cluster.cached(ref)
        return item.live if item else None

    async def _tried(self, child: _Child) -> Verdict | None:
        """A verdict when the child cannot be what it should be; None when it is."""
        if missing := self._cluster.not_installed(child.ref.kind):
            return Verdict(False, Reason.NOT_INSTALLED, missing, blocked=True)
        question = self._question(child)
        if refusal := self._refusals.standing(child.ref, question, self._cluster.clock()):
            self._requeue(refusal.seconds)
            return refusal.verdict
        try:
            return await self._once(child) if child.once else await self._kept(child)
        except ApiError as error:
            if not isinstance(error, Invalid | Forbidden) and error.status != 400:
                self._failure = self._failure or error
                return Verdict(False, Reason.RECONCILE_ERROR, f"{child.ref} could not be written")
            reason = Reason.FORBIDDEN if isinstance(error, Forbidden) else Reason.REJECTED
            # The server may quote the value it does not like.
            said = error.reason if child.ref.kind == SECRET else error.message
            verdict = Verdict(False, reason, f"{child.ref}: {said}"[:LONGEST_MESSAGE], blocked=True)
            return self._refused(child, question, verdict)

    async def _once(self, child: _Child) -> Verdict | None:
        live = self._live(child.ref)
        if live is None:
            live = await self._in_the_way(child)
            if live is None:
                try:
                    await self._cluster.create(child.manifest, self._writer)
                except AlreadyExists:
                    live = await self._unseen(child)
                else:
                    self.written.append(child.ref)
                    return None
            if self._ours(child, live):
                message = f"{child.ref} exists and is not seen: it needs the label {MANAGED_BY}={CONTROLLED_BY_US}"
                return Verdict(False, Reason.WAITING, message)
        if live.deleting:
            return _going(child.ref)
        if not self._ours(child, live):
            return self._conflict(child.ref)
        return await self._restart(child) if _outdated(child, live) else None

    async def _restart(self, child: _Child) -> Verdict | None:
        """Deletes a Job whose inputs have changed, as long as it has not succeeded meanwhile; then it is made again."""
        body = await self._cluster.read(*child.ref)
        live = self._live(child.ref)
        if body is None or live is None or not _outdated(child, live):
            return None
        meta = live.metadata
        log.info("job starts again, its inputs have changed", job=meta.name, namespace=meta.namespace)
        await self._cluster.delete(*child.ref, meta.uid, version=str(meta.resource_version))
        return Verdict(False, Reason.JOB_RUNNING, f"{child.ref} starts again: what it works on has changed")

    async def _unseen(self, child: _Child) -> Live:
        """What exists under that name, and is not in our view: the watch is behind, or its labels are not ours."""
        found = await self._cluster.metadata(*child.ref)
        if found is None:
            raise Conflict(409, "Changed", f"{child.ref} was there a moment ago and is gone")
        self._refusals.unseen.add(child.ref)
        self._requeue(UNSEEN_AGAIN_SECONDS)
        return found

    async def _in_the_way(self, child: _Child) -> Live | None:
        """What was found before under that name and was not in our view. It is looked for before anything is sent."""
        if child.ref not in self._refusals.unseen:
            return None
        found = await self._cluster.metadata(*child.ref)
        if found is None:
            self._refusals.unseen.discard(child.ref)
        else:
            self._requeue(UNSEEN_AGAIN_SECONDS)
        return found

    def _requeue(self, seconds: float) -> None:
        self._cluster.requeue(self._kind, self._owner.metadata.key, seconds)

    async def _kept(self, child: _Child) -> Verdict | None:
        live = self._live(child.ref) or await self._in_the_way(child)
        if live is None:
            try:
                await self._apply(child, ABSENT, self._writer)
            except Conflict:
                live = await self._unseen(child)
                if child.kept and self._ours(child, live):
                    # Retained from an earlier owner, and it may say what was just decided without it.
                    raise Conflict(409, "Changed", f"{child.ref} exists and was not seen yet") from None
            else:
                return None
        if live.deleting:
            return _going(child.ref)
        if not self._ours(child, live):
            return self._conflict(child.ref)
        if child.ref.kind in limits.KINDS:
            return await self._limited(child, await self._fresh(child, live))
        if not self._refusals.differing(child.ref, self._question(child)):
            body = await self._fresh(child, live)
            lacking = difference(child.manifest, body) or stale_field(child.manifest, body)
            if not lacking:
                self._verified(child, int(body["metadata"]["resourceVersion"]))
                return None
            log.info("child put right", kind=child.ref.kind.kind, object=str(live.metadata.key), field=lacking)
            self._refusals.differs(child.ref, self._question(child))
        await self._apply(child, {"uid": live.metadata.uid})
        self._refusals.written(child.ref)
        return None

    async def _limited(self, child: _Child, body: Manifest) -> Verdict | None:
        """The same for a child of which not everything can change."""
        can = await limits.within(self._cluster, child.manifest, body, self._kind.kind)
        if can.remade:
            message = f"{child.ref} is made again for its claim templates, while its pods run on"
            return Verdict(False, Reason.PROVISIONING, message)
        obstacle = can.obstacle
        try:
            await self._mend(child, can.manifest, body)
        except Forbidden:
            if can.without_growth is None:
                raise
            obstacle = obstacle or can.no_expansion
            await self._mend(child, can.without_growth, body)
        if not obstacle:
            return None
        return self._refused(child, self._question(child), Verdict(False, Reason.REJECTED, obstacle, blocked=True))

    async def _mend(self, child: _Child, manifest: Manifest, body: Manifest) -> None:
        """Applies what a body lacks of a manifest, which is the child's as far as it can be."""
        lacking = difference(manifest, body) or stale_field(manifest, body)
        if not lacking:
            self._verified(child, int(body["metadata"]["resourceVersion"]))
            return
        log.info("child put right", kind=child.ref.kind.kind, object=child.ref.name, field=lacking)
        await self._apply(child, {"uid": body["metadata"]["uid"]}, manifest=manifest)

    async def _fresh(self, child: _Child, live: Live) -> Manifest:
        """The whole child as it is now. Raises Conflict when it is another."""
        body = await self._cluster.read(*child.ref)
        if body is None or body["metadata"]["uid"] != live.metadata.uid:
            raise Conflict(409, "Changed", f"{child.ref} is not the object it was a moment ago")
        return body

    def _refused(self, child: _Child, question: Question, verdict: Verdict) -> Verdict:
        """Remembers that the child cannot be what it should be, for as long as neither is another."""
        seconds = FORBIDDEN_SECONDS if verdict.reason == Reason.FORBIDDEN else INVALID_SECONDS
        self._refusals.remember(child.ref, Refusal(question, verdict, seconds), self._cluster.clock())
        if item := self._cluster.cached(child.ref):
            item.verified = 0
        self._requeue(seconds)
        return verdict

    def _question(self, child: _Child) -> Question:
        item = self._cluster.cached(child.ref)
        return child.digest, item.digest if item else 0

    async def _apply(
        self, child: _Child, guard: Manifest, writer: Writer | None = None, manifest: Manifest | None = None
    ) -> None:
        """Applies, if what exists is what `guard` says. Raises Conflict when it is not. `manifest`: the child's, as far
        as it can be."""
        manifest = manifest or child.manifest
        guarded = {**manifest, "metadata": {**manifest["metadata"], **guard}}
        after = (await self._cluster.apply(guarded, writer)).metadata
        self.written.append(child.ref)
        # Where an admission policy insists on a value of its own, asking again would change nothing either.
        self._verified(child, after.resource_version)

    def _verified(self, child: _Child, version: int) -> None:
        """Remembers that the child is right, unless something newer is known by now."""
        item = self._cluster.cached(child.ref)
        if item is not None and item.version == version:
            item.verified = hash((child.digest, item.digest))

    def _ours(self, child: _Child, live: Live) -> bool:
        if not child.kept:
            return self._owned(live)
        wanted = child.manifest["metadata"].get("labels") or {}
        by_label = all(live.metadata.label(name) == wanted.get(name) for name in (MANAGED_BY, INSTANCE))
        return by_label and live.metadata.label(MANAGED_BY) == CONTROLLED_BY_US and live.metadata.controller is None

    def _owned(self, live: Live) -> bool:
        controller = live.metadata.controller
        return controller is not None and controller.uid == self._owner.metadata.uid

    def _conflict(self, ref: Ref) -> Verdict:
        mine = f"{self._kind.kind} {self._owner.metadata.name}"
        message = f"{ref} exists and does not belong to {mine}: delete or rename it, or give {mine} another name"
        return Verdict(False, Reason.NAME_CONFLICT, message, blocked=True)


def _waits_for(stage: Stage, verdicts: Mapping[str, Verdict]) -> str:
    """The first condition that has to be true before the stage begins; empty when none has.

    An earlier stage with the same condition is always one of them: that is how a failed check holds back its stage.
    """
    for condition, verdict in verdicts.items():
        if not verdict.ok and (stage.after is None or condition in (*stage.after, stage.condition)):
            return condition
    return ""


def _going(ref: Ref) -> Verdict:
    return Verdict(False, Reason.WAITING, f"{ref} is being deleted: it is made again when it is gone")


def _outdated(child: _Child, live: Live) -> bool:
    """Whether a Job works on something that has changed since. One that has succeeded is never touched."""
    if not isinstance(live, Job):
        return False
    wanted = (child.manifest["metadata"].get("annotations") or {}).get(INPUTS, "")
    return not live.completed and live.metadata.annotation(INPUTS) != wanted


def _with_data(manifest: Manifest) -> Manifest:
    """A Secret as it is stored: `stringData` is a way of writing that fields are not kept under."""
    if "stringData" not in manifest:
        return manifest
    plain = {name: base64.b64encode(value.encode()).decode() for name, value in manifest["stringData"].items()}
    rest = {name: value for name, value in manifest.items() if name != "stringData"}
    return {**rest, "data": {**manifest.get("data", {}), **plain}}
