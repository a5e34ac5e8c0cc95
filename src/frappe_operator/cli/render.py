"""The children of all own kinds as YAML, resolved and built by the same functions as in a cluster."""

import asyncio
from collections.abc import Iterator
from typing import Any

from frappe_operator.api.kinds import LiveBench, LiveSite
from frappe_operator.cli import text
from frappe_operator.cli.declared import Declared, Object
from frappe_operator.kube.live import Live
from frappe_operator.kube.objects import Key
from frappe_operator.kube.stage import Stage, Undecided
from frappe_operator.model.reasons import FrappeReason
from frappe_operator.registry import OWN_KINDS

GENERATED = "<generated>"


class BenchNotDeclared(Exception):
    """The bench of a site is not in the files, so the site cannot be resolved."""

    def __init__(self, bench: Key, site: str) -> None:
        super().__init__(
            f"FrappeBench {bench.name} of FrappeSite {site} is not in the files (namespace {bench.namespace})"
        )
        self.bench = bench


def render(declared: Declared) -> Iterator[str]:
    """The documents of a YAML stream, benches first. Raises Undecided with the verdict of a failed check, and
    BenchNotDeclared."""
    for own in OWN_KINDS:
        for each in declared.of(own.kind):
            yield from _documents(each, children(declared, each), _assumed(declared, each.live))


def children(declared: Declared, owner: Object[Any]) -> list[Stage]:
    """The stages of an object. Raises BenchNotDeclared, and Undecided for every failed check: no existing child has to
    be kept correct here."""
    decide = next(each.decide for each in OWN_KINDS if each.kind is owner.kind)
    try:
        stages, failures = asyncio.run(decide(declared, owner.live, declared.images, lambda: GENERATED))
    except Undecided as undecided:
        if undecided.verdict.reason != FrappeReason.BENCH_NOT_FOUND:
            raise
        meta, bench = owner.live.metadata, owner.live.decode().bench_ref.name
        raise BenchNotDeclared(Key(meta.namespace, bench), meta.name) from None
    for _, verdict in failures:
        raise Undecided(verdict)
    return stages


def _assumed(declared: Declared, live: Live) -> str:
    """A comment with the facts that only a cluster has and that are assumed; empty for a kind without such facts."""
    if isinstance(live, LiveBench):
        facts = declared.facts(live)
        return f"Assumed: image {facts.reference} contains {', '.join(facts.apps)}, with Frappe {facts.frappe_version}."
    if isinstance(live, LiveSite):
        uid = "the UID of the object, from which the end of the database name is derived"
        return f"Assumed: {uid}, and the address of its Service."
    return ""


def _documents(owner: Object[Any], stages: list[Stage], assumed: str) -> Iterator[str]:
    title = f"{owner.kind.kind} {owner.live.metadata.name}"
    for stage in stages:
        for child in stage.children:
            yield text.document(child, f"{title} · {stage.condition}\n{assumed}")
            assumed = ""
        for child in stage.once:
            yield text.document(child, f"{title} · {stage.condition} · created once\n{assumed}")
            assumed = ""
