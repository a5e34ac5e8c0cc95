"""The children of benches and sites as YAML, decided and built by the same functions as in a cluster."""

import asyncio
from collections.abc import Iterator, Sequence
from typing import Any

from frappe_operator.api.kinds import BENCH, SITE, LiveBench, LiveSite
from frappe_operator.bench import checks as bench_checks
from frappe_operator.bench import observe as bench_observe
from frappe_operator.bench import resolve as bench_resolve
from frappe_operator.bench.stages import stages as bench_stages
from frappe_operator.cli import text
from frappe_operator.cli.declared import Declared, Object
from frappe_operator.kube.objects import Manifest
from frappe_operator.kube.stage import Failed, Stage, Undecided, failed
from frappe_operator.model.reasons import FrappeReason
from frappe_operator.site import checks as site_checks
from frappe_operator.site import observe as site_observe
from frappe_operator.site import resolve as site_resolve
from frappe_operator.site.stages import stages as site_stages

GENERATED = "<generated>"


class BenchNotDeclared(Exception):
    """The bench of a site is not in the files. Nothing of the site can be decided without it."""


def render(declared: Declared) -> Iterator[str]:
    """The documents of a YAML stream: benches first. Raises Undecided, as a reconcile would, and BenchNotDeclared."""
    for bench in declared.of(BENCH):
        facts = declared.facts(bench.live)
        assumed = (
            f"Assumed: image {facts.reference} contains {', '.join(facts.apps)}, with Frappe {facts.frappe_version}."
        )
        yield from _documents(bench, bench_children(declared, bench), assumed)
    for site in declared.of(SITE):
        assumed = "Assumed: the UID of the object, from which the end of the database name is derived."
        yield from _documents(site, site_children(declared, site), assumed)


def bench_children(declared: Declared, bench: Object[LiveBench]) -> list[Stage]:
    """The stages of a bench. Raises Undecided when a check fails: nothing exists that would have to be kept."""
    observed = asyncio.run(bench_observe.observe(declared, bench.live, declared.images))
    decided = bench_resolve.resolve(observed, declared.images)
    _refuse(failed(bench_checks.CHECKS, observed))
    return bench_stages(decided, observed, lambda: GENERATED)


def site_children(declared: Declared, site: Object[LiveSite]) -> list[Stage]:
    """The stages of a site. Raises Undecided when a check fails, and BenchNotDeclared."""
    observed = asyncio.run(site_observe.observe(declared, site.live, declared.images))
    try:
        decided = site_resolve.resolve(observed)
    except Undecided as undecided:
        if undecided.verdict.reason != FrappeReason.BENCH_NOT_FOUND:
            raise
        meta, bench = site.live.metadata, observed.spec.bench_ref.name
        message = f"FrappeBench {bench} of FrappeSite {meta.name} is not in the files (namespace {meta.namespace})"
        raise BenchNotDeclared(message) from None
    _refuse(failed(site_checks.CHECKS, observed))
    return site_stages(decided, observed, lambda: GENERATED)


def _refuse(failures: Sequence[Failed]) -> None:
    for _, verdict in failures:
        raise Undecided(verdict)


def _documents(owner: Object[Any], stages: list[Stage], assumed: str) -> Iterator[str]:
    title = f"{owner.kind.kind} {owner.live.metadata.name}"
    for stage in stages:
        for child in stage.children:
            yield text.document(_shown(child), f"{title} · {stage.condition}\n{assumed}")
            assumed = ""
        for child in stage.once:
            yield text.document(_shown(child), f"{title} · {stage.condition} · created once\n{assumed}")
            assumed = ""


def _shown(child: Manifest) -> Manifest:
    """A child as one reads it: kind and name first. That nobody owns it is said by an absent owner reference."""
    metadata = {name: value for name, value in child["metadata"].items() if name != "ownerReferences"}
    return {**child, "metadata": metadata}
