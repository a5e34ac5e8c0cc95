"""Validates the objects in files as the API server and the operator would."""

import difflib
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from frappe_operator.api import crd
from frappe_operator.api.kinds import BENCH, SITE, LiveSite
from frappe_operator.api.types import IN_ASCII
from frappe_operator.cli import render, rules, schema
from frappe_operator.cli.declared import Declared, Object, kind_of
from frappe_operator.cli.source import Document, Problem
from frappe_operator.kube.names import GROUP
from frappe_operator.kube.stage import Undecided
from frappe_operator.model import site
from frappe_operator.model.host import in_punycode
from frappe_operator.model.host_claims import HostClaims, HostGrants
from frappe_operator.model.settings import Images
from frappe_operator.registry import OWN_KINDS
from frappe_operator.runner import bench as runner_bench
from frappe_operator.runner.outcome import Blocked as ImageBlocked


class Findings(NamedTuple):
    """The outcome of a validation."""

    problems: list[str]
    """Lines of text, in the order of the files."""
    notes: list[str]
    """Lines of text about what was not checked."""
    valid: int
    """Number of objects of our kinds without a problem."""

    def lines(self) -> Iterator[str]:
        """The output of the command."""
        yield from self.problems
        yield from (f"note: {note}" for note in self.notes)
        if not self.problems:
            yield "1 object is valid" if self.valid == 1 else f"{self.valid} objects are valid"


def validate(documents: Sequence[Document], namespace: str) -> Findings:
    """Validates all documents. `namespace`: that of objects which do not set one."""
    ours = [document for document in documents if _is_ours(document)]
    found = {id(document): list(_api_server_problems(document)) for document in ours}
    sound = [document for document in documents if not found.get(id(document))]
    declared = Declared(sound, namespace, Images())
    invalid = Declared([document for document in ours if found[id(document)]], namespace, Images())
    notes = []
    for each in (each for own in OWN_KINDS for each in declared.of(own.kind)):
        try:
            found[id(each.document)] += _operator_problems(declared, each)
        except render.BenchNotDeclared as missing:
            place = f"{each.document.file}:{each.document.line(())}"
            is_invalid = invalid.find(BENCH, *missing.bench) is not None
            why = f"FrappeBench {missing.bench.name} is not valid" if is_invalid else str(missing)
            notes.append(f"{place}: {why}; what depends on it is not checked")
    if others := len(documents) - len(ours):
        notes.append(f"objects of other kinds that were not checked: {others}")
    problems = [
        document.at(problem)
        for document in ours
        for problem in sorted(found[id(document)], key=lambda problem: document.line(problem.where))
    ]
    return Findings(problems, notes, len(ours))


def _is_ours(document: Document) -> bool:
    """Whether a document is validated: it has our API group, or lacks apiVersion or kind."""
    value = document.value
    return not value.get("kind") or not value.get("apiVersion") or str(value["apiVersion"]).startswith(f"{GROUP}/")


def _api_server_problems(document: Document) -> Iterator[Problem]:
    yield from document.problems
    kind = kind_of(document)
    if kind in crd.MODELS:
        structure = schema.of(kind)
        wrong = list(schema.problems(document.value, structure))
        yield from wrong
        for problem in rules.problems(schema.stored(document.value), structure, {each.where for each in wrong}):
            yield _with_punycode(problem, document.value)
    elif not document.problems:
        yield _no_such_kind(document)


def _with_punycode(problem: Problem, value: Any) -> Problem:
    """A problem with a host name that is not in ASCII says what to write."""
    if not problem.message.endswith(IN_ASCII.message):
        return problem
    for step in problem.where:
        value = value[step]
    written = in_punycode(str(value))
    return problem._replace(hint=f"write {written}") if written else problem


def _no_such_kind(document: Document) -> Problem:
    version, kind = document.value.get("apiVersion"), document.value.get("kind")
    for name, value in (("apiVersion", version), ("kind", kind)):
        if not value:
            return Problem((name,), f"Object '{name.capitalize()}' is missing", f"write {name}")
    known = [each.kind for each in crd.MODELS]
    close = difflib.get_close_matches(str(kind), known, n=1) or known
    hint = f"write apiVersion: {BENCH.api_version} and kind: {' or '.join(close)}"
    return Problem(("kind",), f'no matches for kind "{kind}" in version "{version}"', hint)


def _operator_problems(declared: Declared, each: Object[Any]) -> Iterator[Problem]:
    first = declared.find(each.kind, each.live.metadata.namespace, each.live.metadata.name)
    if first is not None and first is not each:
        message = f"declared twice, first at {first.document.file}:{first.document.line(())}: remove one of them"
        yield Problem(("metadata", "name"), message)
        return
    try:
        if each.kind is BENCH:
            runner_bench.major(declared.facts(each.live).frappe_version)
        if each.kind is SITE:
            yield from _host_conflicts(declared, each)
        render.children(declared, each)
    except Undecided as undecided:
        yield Problem(_place(each.document, undecided.verdict.message), undecided.verdict.message)
    except ImageBlocked as blocked:
        yield Problem(("spec", "frappeVersion"), blocked.message)


def _place(document: Document, message: str) -> tuple[str, ...]:
    """The path of the field that a message begins with, otherwise `spec`."""
    field = tuple(message.split()[0].rstrip(":").split("."))
    return ("spec", *field) if ("spec", *field) in document.lines else ("spec",)


def _host_conflicts(declared: Declared, each: Object[LiveSite]) -> Iterator[Problem]:
    """A problem for each host that another site claims as well: the first site gets it, and files do not tell which
    one that is."""
    key, spec, hosts = each.live.metadata.key, site.parse(each.live), HostClaims(declared, HostGrants())
    wanted = hosts.domain(each.live)
    assert wanted is not None, "it has just been parsed"
    for host in wanted.hosts:
        others = sorted((claim.key.name, claim.host) for claim in hosts.claims(host) if claim.key != key)
        if others:
            name, claimed = others[0]
            of_lists = {**dict.fromkeys(wanted.aliases, "aliases"), **dict.fromkeys(wanted.redirects, "redirects")}
            field = of_lists.get(host, "domain" if spec.domain else "siteName")
            what = (
                f"{host} is also a host" if claimed == host else f"{host} and {claimed} exclude each other: it is one"
            )
            yield Problem(("spec", field), f"{what} of FrappeSite {name}: choose another domain or alias")
