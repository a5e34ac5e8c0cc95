"""Creates, applies and prunes the children of an object: the one place that writes them."""

import asyncio
import base64
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import structlog

from frappe_operator.kube.kinds import SECRET, Kind, Ref, ref_of
from frappe_operator.kube.live import OPERATOR_NAME, Job, Live
from frappe_operator.kube.names import GROUP, INSTANCE, MANAGED_BY, RETAINED_LABEL
from frappe_operator.kube.objects import Manifest
from frappe_operator.kube.reasons import Reason
from frappe_operator.kube.stage import Stage, Verdict
from frappe_operator.runtime.apply import limits
from frappe_operator.runtime.apply.finalizers import ConfirmedOwners
from frappe_operator.runtime.apply.refusals import Digests, Refusal, Refusals
from frappe_operator.runtime.apply.replicas import AFTER_OTHERS, hand_over
from frappe_operator.runtime.cache.decoding import CachedObject
from frappe_operator.runtime.client.errors import AlreadyExists, ApiError, Conflict, Forbidden, Invalid
from frappe_operator.runtime.cluster import Cluster, Writer
from frappe_operator.runtime.drift import difference, fingerprint, stale_field

log = structlog.get_logger(__name__)

INPUTS = f"{GROUP}/inputs"
"""Annotation of a Job with a digest of what it works on: an unfinished Job whose inputs have changed is restarted."""
ABSENT: Manifest = {"resourceVersion": "1"}
"""Metadata of an apply that may only create: no object ever has this resourceVersion, and where no object exists the
API server ignores it."""
UNCACHED_REQUEUE_SECONDS = 60.0
"""When an owner is requeued whose child's name belongs to an object that is not cached: no event shows its deletion."""
FORBIDDEN_SECONDS = 60.0
"""How long a write is not repeated that was forbidden: a quota may get room at any time."""
INVALID_SECONDS = 600.0
"""How long a write is not repeated that was invalid: only another admission policy would make a difference."""
LONGEST_MESSAGE = 1000


class ApplyResult(NamedTuple):
    """The result of applying all stages."""

    verdicts: dict[str, Verdict]
    """By condition, in the order of the stages."""
    written: list[Ref]
    """The children that were created or changed."""


async def apply(
    cluster: Cluster, kind: Kind, owner: Live, stages: Sequence[Stage], *, prune: Collection[Kind] = ()
) -> ApplyResult:
    """Makes the children of `owner`, an object of `kind`, what the stages declare.

    A stage that is not true yet holds back the later ones (Stage.after) that have not begun. A stage has begun once one
    of its `children` exists: from then on all of them are kept correct, so that a deleted Deployment of a running site
    is created again whatever else is wrong. Children of the kinds in `prune` that no stage names are deleted. A child
    that the API server refuses makes its stage false and holds up nothing else. Raises ApiError and TransportError for
    failures that a retry may solve.
    """
    children = _Children(cluster, kind, owner)
    verdicts: dict[str, Verdict] = {}
    for stage in stages:
        verdict = await children.ensure(stage, _waits_for(stage, verdicts))
        earlier = verdicts.get(stage.condition)
        if earlier is None or earlier.ok:
            verdicts[stage.condition] = verdict
    await children.prune(stages, prune)
    children.raise_failure()
    return ApplyResult(verdicts, children.written)


@dataclass
class _Child:
    """The desired state of one child."""

    ref: Ref
    manifest: Manifest
    create_once: bool
    retained: bool
    """Has no owner reference, so that it outlives its owner; it belongs to the operator by its labels."""
    settled: bool
    """Whether everything that its stage waits for is there. Before, the inputs of a Job may not be known completely."""

    @cached_property
    def digest(self) -> int:
        """The fingerprint of the manifest, computed only when it is compared: most children of a new object do not
        exist yet, or are created once."""
        # A generated Secret is different in each reconcile.
        random = self.create_once and self.ref.kind == SECRET
        return fingerprint({"metadata": self.manifest["metadata"]} if random else self.manifest)


class _Children:
    """The children of one object, during one reconcile."""

    def __init__(self, cluster: Cluster, kind: Kind, owner: Live) -> None:
        self._cluster = cluster
        self._kind = kind
        self._owner = owner
        self._writer = kind, owner.metadata.key
        self._refusals = cluster.state(Refusals)
        self.written: list[Ref] = []
        self._failure: ApiError | None = None
        """The first error that a retry may solve."""

    async def ensure(self, stage: Stage, waits_for: str) -> Verdict:
        """Creates and applies the children of one stage. Returns the verdict of the stage."""
        children = [self._child(each, create_once=False, settled=not waits_for) for each in stage.children]
        children += [self._child(each, create_once=True, settled=not waits_for) for each in stage.once]
        begun = any(not child.create_once and self._exists(child) for child in children)
        held, pending = False, []
        for child in children:
            item = self._cluster.cached(child.ref)
            if item is None and waits_for and (child.create_once or not begun):
                held = True
            elif item is None or not self._is_current(child, item):
                pending.append(child)
        if any(self._cached_live(child.ref) is None for child in pending):
            await self._confirm_owner()
        # All are attempted before a failure ends the reconcile: one failing child must not hold up the others.
        results, troubles = [], []
        for last in (False, True):
            group = [child for child in pending if (child.ref.kind in AFTER_OTHERS) == last]
            results += await asyncio.gather(*(self._attempt(child) for child in group), return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                raise result
            if result is not None:
                troubles.append(result)
        if troubles:
            return troubles[0]
        if held:
            return Verdict(False, Reason.WAITING, f"Waiting for {waits_for}")
        return stage.ready([self._cached_live(child.ref) for child in children])

    def raise_failure(self) -> None:
        """Raises the first error that a retry may solve."""
        failure, self._failure = self._failure, None
        try:
            if failure is not None:
                raise failure
        finally:
            # An exception refers to this frame, and through it would refer to itself: a cycle with all manifests of the
            # reconcile, which only the garbage collector could free.
            del failure

    async def prune(self, stages: Sequence[Stage], kinds: Collection[Kind]) -> None:
        """Deletes the children that no stage names, after reading from the API server whose they are."""
        named = {ref_of(manifest) for stage in stages for manifest in (*stage.children, *stage.once)}
        for stage in stages:
            named.update(stage.keeps)
            if any(self._cached_live(ref_of(manifest)) is None for manifest in stage.once):
                named.update(stage.replaces)
        for kind, live in self._cluster.owned(self._owner.metadata.uid):
            meta = live.metadata
            if kind not in kinds or live.deleting or Ref(kind, meta.namespace, meta.name) in named:
                continue
            fresh = await self._cluster.metadata(kind, meta.namespace, meta.name)
            if fresh is not None and fresh.metadata.uid == meta.uid and self._is_owned(fresh):
                log.info(
                    "deleting a child that is not desired any more",
                    kind=kind.kind,
                    namespace=meta.namespace,
                    name=meta.name,
                )
                await self._cluster.delete(kind, meta.namespace, meta.name, meta.uid)

    async def _confirm_owner(self) -> None:
        """Confirms with the API server that the owner exists as it is cached and is not being deleted. Raises Conflict
        otherwise: an outdated cache must not create anything for an owner that another process has cleaned up, nor
        anything that the spec does not ask for any more."""
        meta, confirmed = self._owner.metadata, self._cluster.state(ConfirmedOwners).uids
        if meta.creation_timestamp > self._cluster.leading_since or meta.uid in confirmed:
            return
        body = await self._cluster.read(self._kind, meta.namespace, meta.name)
        fresh = body["metadata"] if body else {}
        is_cached = (fresh.get("uid"), fresh.get("generation", 0)) == (meta.uid, meta.generation)
        if not is_cached or ("deletionTimestamp" in fresh and not self._owner.deleting):
            raise Conflict(409, "Changed", f"{self._kind.kind} {meta.key} has changed or does not exist any more")
        confirmed.add(meta.uid)

    def _child(self, manifest: Manifest, *, create_once: bool, settled: bool) -> _Child:
        ref = ref_of(manifest)
        if ref.kind not in self._cluster.cache.stores:
            raise ValueError(f"{ref.kind.kind} {ref.name} is a child, but its kind is not watched")
        metadata = dict(manifest["metadata"])
        retained = RETAINED_LABEL in (metadata.get("labels") or {})
        if not retained and "ownerReferences" not in metadata:
            metadata["ownerReferences"] = [self._reference()]
        return _Child(ref, {**_with_data(manifest), "metadata": metadata}, create_once, retained, settled)

    def _reference(self) -> Manifest:
        return {
            "apiVersion": self._kind.api_version,
            "kind": self._kind.kind,
            "name": self._owner.metadata.name,
            "uid": self._owner.metadata.uid,
            "controller": True,
            "blockOwnerDeletion": True,
        }

    def _is_current(self, child: _Child, item: CachedObject) -> bool:
        """Whether the cached child is as its manifest says, or has not changed since it was found to be."""
        if item.live.deleting:
            return False
        if child.create_once:
            return self._is_ours(child, item.live) and not _outdated(child, item.live)
        return child.digest == item.applied or item.verified == hash((child.digest, item.digest))

    def _exists(self, child: _Child) -> bool:
        live = self._cached_live(child.ref)
        return live is not None and self._is_ours(child, live)

    def _cached_live(self, ref: Ref) -> Live | None:
        item = self._cluster.cached(ref)
        return item.live if item else None

    async def _attempt(self, child: _Child) -> Verdict | None:
        """Creates or applies one child. Returns a verdict when that is not possible, else None."""
        if missing := self._cluster.not_installed(child.ref.kind):
            return Verdict(False, Reason.NOT_INSTALLED, missing, blocked=True)
        digests = self._digests(child)
        if refusal := self._refusals.current(child.ref, digests, self._cluster.clock()):
            self._requeue(refusal.seconds)
            return refusal.verdict
        try:
            return await self._create_child(child) if child.create_once else await self._apply_child(child)
        except ApiError as error:
            if not isinstance(error, Invalid | Forbidden) and error.status != 400:
                self._failure = self._failure or error
                return Verdict(False, Reason.RECONCILE_ERROR, f"{child.ref} could not be written")
            reason = Reason.FORBIDDEN if isinstance(error, Forbidden) else Reason.REJECTED
            # The API server may quote a value that it rejects.
            why = error.reason if child.ref.kind == SECRET else error.message
            verdict = Verdict(False, reason, f"{child.ref}: {why}"[:LONGEST_MESSAGE], blocked=True)
            return self._remember_refusal(child, digests, verdict)

    async def _create_child(self, child: _Child) -> Verdict | None:
        live = self._cached_live(child.ref)
        if live is None:
            live = await self._taken_name(child)
            if live is None:
                try:
                    await self._cluster.create(child.manifest, self._writer)
                except AlreadyExists:
                    live = await self._uncached(child)
                else:
                    self.written.append(child.ref)
                    return None
            if self._is_ours(child, live):
                message = f"{child.ref} exists without the label {MANAGED_BY}={OPERATOR_NAME}: add it"
                return Verdict(False, Reason.WAITING, message)
        if live.deleting:
            return _being_deleted(child.ref)
        if not self._is_ours(child, live):
            return self._name_conflict(child.ref)
        return await self._restart_job(child) if _outdated(child, live) else None

    async def _restart_job(self, child: _Child) -> Verdict | None:
        """Deletes a Job whose inputs have changed, unless it has succeeded meanwhile; the next reconcile creates it."""
        body = await self._cluster.read(*child.ref)
        live = self._cached_live(child.ref)
        if body is None or live is None or not _outdated(child, live):
            return None
        meta = live.metadata
        log.info("restarting a Job whose inputs have changed", job=meta.name, namespace=meta.namespace)
        await self._cluster.delete(*child.ref, meta.uid, version=str(meta.resource_version))
        return Verdict(False, Reason.JOB_RUNNING, f"{child.ref} is restarted: what it works on has changed")

    async def _uncached(self, child: _Child) -> Live:
        """The object that has the child's name and is not cached: its watch is behind, or does not select it."""
        found = await self._cluster.metadata(*child.ref)
        if found is None:
            raise Conflict(409, "Changed", f"{child.ref} has just been deleted")
        self._refusals.uncached.add(child.ref)
        self._requeue(UNCACHED_REQUEUE_SECONDS)
        return found

    async def _taken_name(self, child: _Child) -> Live | None:
        """The object that was found before to have the child's name and not to be cached, if it still exists: then the
        write need not be attempted."""
        if child.ref not in self._refusals.uncached:
            return None
        found = await self._cluster.metadata(*child.ref)
        if found is None:
            self._refusals.uncached.discard(child.ref)
        else:
            self._requeue(UNCACHED_REQUEUE_SECONDS)
        return found

    def _requeue(self, seconds: float) -> None:
        self._cluster.requeue(self._kind, self._owner.metadata.key, seconds)

    async def _apply_child(self, child: _Child) -> Verdict | None:
        live = self._cached_live(child.ref) or await self._taken_name(child)
        if live is None:
            try:
                await self._apply(child, ABSENT, self._writer)
            except Conflict:
                live = await self._uncached(child)
                if child.retained and self._is_ours(child, live):
                    # Retained from an earlier owner: its labels may change what was just decided without them.
                    raise Conflict(409, "Changed", f"{child.ref} exists and was not cached yet") from None
            else:
                return None
        if live.deleting:
            return _being_deleted(child.ref)
        if not self._is_ours(child, live):
            return self._name_conflict(child.ref)
        if child.ref.kind in limits.KINDS:
            return await self._apply_within_limits(child, await self._read_child(child, live))
        if not self._refusals.is_drifted(child.ref, self._digests(child)):
            body = await self._read_child(child, live)
            drift = difference(child.manifest, body) or stale_field(child.manifest, body)
            if not drift:
                self._mark_verified(child, int(body["metadata"]["resourceVersion"]))
                return None
            log.info("repairing drift", kind=child.ref.kind.kind, object=str(live.metadata.key), field=drift)
            await hand_over(self._cluster, child.manifest, body)
            self._refusals.drifted(child.ref, self._digests(child))
        await self._apply(child, {"uid": live.metadata.uid})
        self._refusals.repaired(child.ref)
        return None

    async def _apply_within_limits(self, child: _Child, body: Manifest) -> Verdict | None:
        """Applies what can change of a child whose kind has immutable fields."""
        can = await limits.within(self._cluster, child.manifest, body, self._kind.kind)
        if can.recreated:
            message = f"{child.ref} is being recreated with other claim templates; its pods keep running"
            return Verdict(False, Reason.PROVISIONING, message)
        obstacle = can.obstacle
        try:
            await self._repair(child, can.manifest, body)
        except Forbidden:
            if can.without_growth is None:
                raise
            obstacle = obstacle or can.no_expansion
            await self._repair(child, can.without_growth, body)
        if not obstacle:
            return None
        return self._remember_refusal(
            child, self._digests(child), Verdict(False, Reason.REJECTED, obstacle, blocked=True)
        )

    async def _repair(self, child: _Child, manifest: Manifest, body: Manifest) -> None:
        """Applies a manifest unless the body is as it says. `manifest`: the child's, as far as it is possible."""
        drift = difference(manifest, body) or stale_field(manifest, body)
        if not drift:
            self._mark_verified(child, int(body["metadata"]["resourceVersion"]))
            return
        log.info("repairing drift", kind=child.ref.kind.kind, object=child.ref.name, field=drift)
        await self._apply(child, {"uid": body["metadata"]["uid"]}, manifest=manifest)

    async def _read_child(self, child: _Child, live: Live) -> Manifest:
        """Reads the whole child. Raises Conflict when it is not the cached object any more."""
        body = await self._cluster.read(*child.ref)
        if body is None or body["metadata"]["uid"] != live.metadata.uid:
            raise Conflict(409, "Changed", f"{child.ref} is not the cached object any more")
        return body

    def _remember_refusal(self, child: _Child, digests: Digests, verdict: Verdict) -> Verdict:
        """Remembers that the API server refuses the child, until its manifest or the object changes, for some time."""
        seconds = FORBIDDEN_SECONDS if verdict.reason == Reason.FORBIDDEN else INVALID_SECONDS
        self._refusals.remember(child.ref, Refusal(digests, verdict, seconds), self._cluster.clock())
        if item := self._cluster.cached(child.ref):
            item.verified = 0
        self._requeue(seconds)
        return verdict

    def _digests(self, child: _Child) -> Digests:
        item = self._cluster.cached(child.ref)
        return child.digest, item.digest if item else 0

    async def _apply(
        self, child: _Child, guard: Manifest, writer: Writer | None = None, manifest: Manifest | None = None
    ) -> None:
        """Applies a child on the precondition `guard`. Raises Conflict when it is not met. `manifest`: the child's, as
        far as it is possible."""
        manifest = manifest or child.manifest
        guarded = {**manifest, "metadata": {**manifest["metadata"], **guard}}
        after = (await self._cluster.apply(guarded, writer)).metadata
        self.written.append(child.ref)
        # Where an admission policy insists on another value, applying again would change nothing.
        self._mark_verified(child, after.resource_version)

    def _mark_verified(self, child: _Child, version: int) -> None:
        """Remembers that the child is as its manifest says, unless a newer version is cached by now."""
        item = self._cluster.cached(child.ref)
        if item is not None and item.version == version:
            item.verified = hash((child.digest, item.digest))

    def _is_ours(self, child: _Child, live: Live) -> bool:
        if not child.retained:
            return self._is_owned(live)
        labels = child.manifest["metadata"].get("labels") or {}
        by_label = all(live.metadata.label(name) == labels.get(name) for name in (MANAGED_BY, INSTANCE))
        return by_label and live.metadata.label(MANAGED_BY) == OPERATOR_NAME and live.metadata.controller is None

    def _is_owned(self, live: Live) -> bool:
        controller = live.metadata.controller
        return controller is not None and controller.uid == self._owner.metadata.uid

    def _name_conflict(self, ref: Ref) -> Verdict:
        mine = f"{self._kind.kind} {self._owner.metadata.name}"
        message = f"{ref} exists and does not belong to {mine}: delete or rename it, or give {mine} another name"
        return Verdict(False, Reason.NAME_CONFLICT, message, blocked=True)


def _waits_for(stage: Stage, verdicts: Mapping[str, Verdict]) -> str:
    """The first false condition that holds back a stage; empty when there is none.

    An earlier stage with the same condition always holds it back: that is how a failed check holds back its stage.
    """
    for condition, verdict in verdicts.items():
        if not verdict.ok and (stage.after is None or condition in (*stage.after, stage.condition)):
            return condition
    return ""


def _being_deleted(ref: Ref) -> Verdict:
    return Verdict(False, Reason.WAITING, f"{ref} is being deleted; it is created again afterwards")


def _outdated(child: _Child, live: Live) -> bool:
    """Whether the inputs of a Job are known and have changed. A Job that has succeeded is never touched."""
    if not isinstance(live, Job) or not child.settled:
        return False
    inputs = (child.manifest["metadata"].get("annotations") or {}).get(INPUTS, "")
    return not live.completed and live.metadata.annotation(INPUTS) != inputs


def _with_data(manifest: Manifest) -> Manifest:
    """A Secret as the API server stores it: `stringData` becomes `data`."""
    if "stringData" not in manifest:
        return manifest
    plain = {name: base64.b64encode(value.encode()).decode() for name, value in manifest["stringData"].items()}
    rest = {name: value for name, value in manifest.items() if name != "stringData"}
    return {**rest, "data": {**manifest.get("data", {}), **plain}}
