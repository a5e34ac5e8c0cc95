"""Writes what is derived from the code: the pages of the two kinds, and the generated manifests in deploy/."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from frappe_operator.api import crd
from frappe_operator.cli import rbac, render, source, text
from frappe_operator.cli.declared import Declared, Object
from frappe_operator.kube.kinds import BENCH, SITE, Kind
from frappe_operator.kube.stage import Stage
from frappe_operator.model.settings import Images
from frappe_operator.model.sizing import DEFAULTS, camel

ROOT = Path(__file__).parent.parent
NOTICE = "Written by `make manifests`; what it says is in src/frappe_operator."
Schema = dict[str, Any]
SIZES = {f"componentResources.{camel(name)}": name for name in DEFAULTS} | {"databaseConfig.resources": "mariadb"}
"""Fields that are the size of a component, by the component."""

CONDITIONS: dict[Kind, dict[str, str]] = {
    BENCH: {
        "StorageReady": "The common storage can be mounted.",
        "ImageReady": "The image was run once: its apps and versions are known, its built assets are published.",
        "CacheReady": "Both Redis servers are up: the cache, and the queue.",
        "DatabaseReady": "The bench's MariaDB is up, or no site uses it.",
        "ProxyReady": "The proxy is up.",
    },
    SITE: {
        "BenchReady": "The bench has what the site needs: storage, cache, proxy.",
        "StorageReady": "The volume for the site's files can be mounted.",
        "DatabaseReady": "Database and user exist, or yours was checked; the server answers.",
        "SiteCreated": "The site was created, once.",
        "Configured": "The site has its present address and database credentials; no Secret made for it is lost.",
        "AppsInstalled": "The apps are installed.",
        "WorkloadsReady": "All pods are ready: web, realtime, scheduler, workers.",
        "Routed": "Every host is the site's, and every proxy knows it.",
        "Serving": "Frappe answers a ping that comes the way a visitor does. Ready sites are asked again, each once a "
        "minute; beyond 600 sites in turn, ten a second.",
    },
}
COMMON_CONDITIONS = {
    "Ready": "All of the above. Its reason and message are those of the first that is not so.",
    "Reconciling": "Something is still coming; waiting helps.",
    "Stalled": "Somebody must act; the message says what to do.",
}
SECRETS: dict[Kind, tuple[tuple[str, str, str], ...]] = {
    BENCH: (
        (
            "`<bench>-redis`",
            "The password of both Redis servers: `password` for clients, the same in `redis.conf` for the servers.",
            "Both servers restart, then every pod of the sites. What is queued stays; a job that is at work may fail.",
        ),
        (
            "`<bench>-mariadb-root`",
            "Root of the bench's MariaDB: `host`, `port`, `username`, `password`.",
            "MariaDB restarts, sets the password, and is up once root has logged in with it: seconds for the sites.",
        ),
    ),
    SITE: (
        (
            "`<site>-db-connection`",
            "The site's own user of its database in the bench's MariaDB.",
            "A Job gives the password to the user and to the site. No pod restarts.",
        ),
        (
            "`<site>-admin`",
            "Administrator's first password.",
            "Of a site that exists: an edit changes nothing, and a lost one is not made again. `Configured` says what "
            "to do.",
        ),
    ),
}
"""Name, what is in it, and what follows when it is edited, or deleted and made again."""

EXAMPLES = {BENCH: "sizes.yaml", SITE: "two-sites.yaml"}


def files() -> dict[Path, str]:
    """What every derived file has to contain."""
    comment = f"# {NOTICE}\n"
    return {
        ROOT / "deploy" / "crds.yaml": comment + text.stream(crd.definitions()),
        ROOT / "deploy" / "rbac.yaml": comment + text.stream(rbac.manifests(rbac.NAME)),
        ROOT / "docs" / "frappebench.md": page(BENCH),
        ROOT / "docs" / "frappesite.md": page(SITE),
    }


def page(kind: Kind) -> str:
    """The reference page of a kind."""
    schema = crd.schema(kind)
    spec, status = schema["properties"]["spec"], schema["properties"]["status"]
    sections = [
        f"# {kind.kind}",
        f"<!-- {NOTICE} -->",
        schema["description"],
        f"`{kind.api_version}`, namespaced, short name `{crd.SHORT_NAMES[kind]}`, category `frappe`.",
        "## Example",
        f"From [examples/{EXAMPLES[kind]}](../examples/{EXAMPLES[kind]}):",
        f"```yaml\n{_example(kind)}```",
        "## Spec",
        "Unknown fields are refused. A field that is not given takes the default named here; defaults are decided when "
        "the object is looked at and never written into it.",
        _fields(spec),
        *_rules(spec),
        "## Status",
        _fields(status),
        "## Conditions",
        "What belongs to a condition is created once those it comes after are true. What exists is always kept right, "
        "and comes back when it is deleted, whatever else is not true and whatever is wrong with the spec.",
        _conditions(kind),
        "## Children",
        "Names longer than a label may be are cut, and told apart by a fingerprint. Volumes of StatefulSets stay, as "
        "Kubernetes leaves them.",
        _children(kind),
        "## Secrets",
        "They are generated once. One that is deleted is made again with another password, where that can be set where "
        "it belongs; one that is edited counts in the same way. Any new version of a Secret counts, were it only a "
        "label: leave them alone otherwise.",
        _table(("name", "what is in it", "when it is edited or deleted"), SECRETS[kind]),
    ]
    return "\n\n".join(sections) + "\n"


def conditions(kind: Kind) -> dict[str, str]:
    """Every condition of a kind, and what it means."""
    return {**CONDITIONS[kind], **COMMON_CONDITIONS}


def stages(kind: Kind) -> tuple[Object, list[Stage]]:
    """The stages of an object with the least that can be said, and that object."""
    declared = Declared(source.read(str(ROOT / "examples" / "minimal.yaml")), "default", Images())
    (found,) = declared.of(kind)
    build = render.bench_children if kind is BENCH else render.site_children
    return found, build(declared, found)


def _conditions(kind: Kind) -> str:
    begins = {stage.condition: stage.after for stage in stages(kind)[1]}
    first = next(iter(begins))
    rows = []
    for name, said in conditions(kind).items():
        after = begins.get(name, [])
        comes_after = "all before it" if after is None else ", ".join(f"`{each}`" for each in after)
        rows.append((f"`{name}`", said, "" if name == first else comes_after))
    return _table(("type", "true when", "comes after"), rows)


def _example(kind: Kind) -> str:
    documents = source.read(str(ROOT / "examples" / EXAMPLES[kind]))
    last = [document.value for document in documents if document.value["kind"] == kind.kind][-1]
    return text.document(last).removeprefix("---\n")


def _fields(schema: Schema) -> str:
    return _table(("field", "type", "meaning"), list(_rows(schema, "")))


def _rows(schema: Schema, before: str) -> Iterator[tuple[str, str, str]]:
    for name, inner in schema["properties"].items():
        needed = " **required**" if name in schema.get("required", []) else ""
        said = inner.get("description", "") + _limits(inner) + _default(f"{before}{name}")
        yield f"`{before}{name}`{needed}", _type(inner), said
        child, suffix = (inner["items"], "[]") if "items" in inner else (inner, "")
        # The conditions have a section of their own.
        if "properties" in child and name != "conditions":
            yield from _rows(child, f"{before}{name}{suffix}.")


def _type(schema: Schema) -> str:
    if "x-kubernetes-int-or-string" in schema:
        return "quantity"
    if "additionalProperties" in schema:
        return f"map of {_type(schema['additionalProperties'])}"
    if "items" in schema:
        return f"list of {_type(schema['items'])}"
    return str(schema["type"])


def _limits(schema: Schema) -> str:
    said = []
    if "enum" in schema:
        said.append("One of " + ", ".join(f"`{value}`" for value in schema["enum"]) + ".")
    if "maximum" in schema:
        said.append(f"From {schema['minimum']} to {schema['maximum']}.")
    if "maxItems" in schema:
        said.append(f"At most {schema['maxItems']}.")
    if isinstance(schema.get("example"), str):
        said.append(f"For example `{schema['example']}`.")
    return "".join(f" {each}" for each in said)


def _default(field: str) -> str:
    """What a component gets when nobody says anything, where the field is a component's size."""
    if field not in SIZES:
        return ""
    words = {
        part: " and ".join(f"{name} {value}" for name, value in amounts.items())
        for part, amounts in DEFAULTS[SIZES[field]].items()
    }
    return f" Default: requests {words['requests']}; limits {words['limits']}."


def _rules(schema: Schema) -> Iterator[str]:
    """What the API server refuses, by what it says."""
    fields: dict[str, list[str]] = {}
    for field, message in _rules_of(schema, "spec"):
        fields.setdefault(message, []).append(f"`{field}`")
    yield "What the API server refuses beside unknown fields and wrong types, and what it says:"
    yield _table(("message", "of"), [(message, ", ".join(places)) for message, places in fields.items()])


def _rules_of(schema: Schema, where: str) -> Iterator[tuple[str, str]]:
    for rule in schema.get(crd.VALIDATIONS, []):
        yield f"`{where}`", rule["message"]
    for name, inner in schema.get("properties", {}).items():
        yield from _rules_of(inner, f"{where}.{name}")
    if "items" in schema:
        yield from _rules_of(schema["items"], f"{where}[]")


def _children(kind: Kind) -> str:
    owner, found = stages(kind)
    placeholder = "<bench>" if kind is BENCH else "<site>"
    name = owner.live.metadata.name
    rows = []
    for stage in found:
        for child in (*stage.children, *stage.once):
            called = re.sub("-[0-9a-f]{8,}$", "-<hash>", child["metadata"]["name"].replace(name, placeholder))
            kept = "ownerReferences" in child["metadata"]
            rows.append(
                (f"`{called}`", child["kind"], stage.condition, "stays with the data" if kept else "goes with it")
            )
    return _table(("name", "kind", "for", f"when the {kind.kind} goes"), rows)


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


if __name__ == "__main__":
    for path, content in files().items():
        path.write_text(content, encoding="utf-8")
