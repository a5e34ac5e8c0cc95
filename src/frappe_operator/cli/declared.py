"""The cluster as files declare it: what `render` and `validate` decide from, in place of a real one."""

import base64
import re
from collections.abc import Callable, Sequence
from typing import Any, Generic, NamedTuple, TypeVar, cast

import msgspec

from frappe_operator.api.kinds import ALL, BENCH, OWN, SITE, LiveBench
from frappe_operator.cli import schema
from frappe_operator.cli.source import Document
from frappe_operator.kube.kinds import CONFIG_MAP, SECRET, Kind, KindOf
from frappe_operator.kube.live import Custom, Live, Meta
from frappe_operator.kube.names import digest
from frappe_operator.kube.objects import Manifest
from frappe_operator.kube.stage import Blocked
from frappe_operator.model import bench as bench_model
from frappe_operator.model import domain
from frappe_operator.model.bench import Names
from frappe_operator.model.database import SECRET_KEYS
from frappe_operator.model.image import Facts
from frappe_operator.model.settings import Images

L = TypeVar("L", bound=Live)

NEWEST = "16"
"""The version assumed where frappeVersion does not tell, such as `develop` or `build-7`."""


class Object(NamedTuple, Generic[L]):
    """An object that a file declares."""

    kind: KindOf[L]
    document: Document
    live: L


class Declared:
    """Answers like a cluster in which nothing has been made yet.

    What only a cluster can tell is assumed: an image holds the apps that bench and sites name, in the version that
    frappeVersion says; a Secret that no file declares is there and well filled; no object is older than another.
    """

    def __init__(self, documents: Sequence[Document], namespace: str, images: Images) -> None:
        self.images = images
        self.objects: list[Object[Any]] = [
            Object(kind, document, live(kind, document, namespace))
            for document in documents
            if (kind := kind_of(document)) is not None
        ]

    def of(self, kind: KindOf[L]) -> list[Object[L]]:
        """Every object of a kind, in the order of the files."""
        return cast(list[Object[L]], [each for each in self.objects if each.kind is kind])

    def all(self, kind: KindOf[L]) -> list[L]:
        return [each.live for each in self.of(kind)]

    def find(self, kind: KindOf[L], namespace: str, name: str) -> Object[L] | None:
        """One object."""
        return next((each for each in self.of(kind) if each.live.metadata.key == (namespace, name)), None)

    def get(self, kind: KindOf[L], namespace: str, name: str) -> L | None:
        found = self.find(kind, namespace, name) if kind in OWN else None
        return found and found.live

    def select(self, kind: KindOf[L], index: str, value: str) -> list[L]:
        if kind is not SITE:
            return []
        sites = [each.live for each in self.objects if each.kind is SITE]
        return [each for each in sites if value in domain.INDICES[index](each)]

    async def list(self, kind: Kind, namespace: str, labels: str) -> list[Manifest]:
        """Nothing in files has ever run."""
        return []

    async def body(
        self, kind: Kind, namespace: str, name: str, keep: Callable[[bytes], bytes] | None = None
    ) -> Manifest | None:
        """A Secret of a site's own database, or the one ConfigMap that is ever asked for: what was found in a bench's
        image."""
        if kind is SECRET:
            return self.secret(namespace, name)
        for bench in self.of(BENCH):
            meta = bench.live.metadata
            if kind is CONFIG_MAP and meta.namespace == namespace and Names(meta.name).image == name:
                return {"data": {"facts": msgspec.json.encode(self.facts(bench.live)).decode()}}
        return None

    async def read(self, kind: Kind, namespace: str, name: str) -> Manifest | None:
        """Nothing has been made yet."""
        return None

    def secret(self, namespace: str, name: str) -> Manifest:
        """A site's own database as files say it, or as it might be."""
        found = self.find(SECRET, namespace, name)
        if found is None:
            # Frappe 15 wants username and database to be equal.
            said = {key: "<database>" if key == "username" else f"<{key}>" for key in SECRET_KEYS}
            return {"metadata": {"resourceVersion": "0"}, "data": {key: _base64(value) for key, value in said.items()}}
        encoded = {key: text for key, text in _part(found.document, "data").items() if _is_base64(text)}
        plain = {key: _base64(str(text)) for key, text in _part(found.document, "stringData").items()}
        return {"metadata": {"resourceVersion": "0"}, "data": {**encoded, **plain}}

    def facts(self, bench: LiveBench) -> Facts:
        """What the image of a bench is assumed to hold. Raises Blocked when the bench's spec is none."""
        spec = bench_model.parse(bench)
        try:
            apps = list(bench_model.apps(spec))
        except Blocked:
            # Which is said of the bench; a site may name apps of its own.
            apps = ["frappe"]
        for site in self.select(SITE, domain.BENCH_INDEX, str(bench.metadata.key)):
            asked = domain.readable_spec(site)
            apps += (asked.apps if asked else None) or []
        version = frappe_version(spec.frappe_version)
        held = {app: version if app == "frappe" else "" for app in apps}
        return Facts(bench_model.image(spec, self.images).reference, version, "", held)


def frappe_version(text: str) -> str:
    """The version that frappeVersion speaks of: 15 for `version-15`, 15.51.1 for `v15.51.1`."""
    found = re.match(r"(?:version-|v)?([0-9]+(?:\.[0-9]+)*)(?![0-9A-Za-z._])", text)
    return found[1] if found else NEWEST


def kind_of(document: Document) -> Kind | None:
    """The kind of an object, None for one the operator has never heard of."""
    return ALL.get((str(document.value.get("apiVersion")), str(document.value.get("kind"))))


def live(kind: Kind, document: Document, namespace: str) -> Live:
    """An object as it would be just after it was created."""
    meta = _part(document, "metadata")
    where, name = str(meta.get("namespace") or namespace), str(meta.get("name") or "")
    # A cluster gives each object its own; here the same files must always render the same.
    uid = digest(f"{document.value.get('kind')}/{where}/{name}", 32)
    spec = msgspec.Raw(msgspec.json.encode(schema.stored(document.value.get("spec") or {})))
    meta_data = Meta(name=name, namespace=where, uid=uid)
    return kind.projection(meta_data, spec) if issubclass(kind.projection, Custom) else Live(meta_data)


def _part(document: Document, name: str) -> dict[str, Any]:
    """A map in an object that nobody has checked."""
    part = document.value.get(name)
    return part if isinstance(part, dict) else {}


def _is_base64(text: Any) -> bool:
    try:
        base64.b64decode(str(text), validate=True).decode()
    except ValueError:
        return False
    return True


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
