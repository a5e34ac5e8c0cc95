"""A cluster that is declared by files: `render` and `validate` observe it in place of a real one."""

import base64
import re
from collections.abc import Callable, Sequence
from typing import Any, Generic, NamedTuple, TypeVar, cast

import msgspec

from frappe_operator.api.kinds import ALL, BENCH, OWN, SITE, LiveBench, readable_spec
from frappe_operator.cli import schema
from frappe_operator.cli.source import Document
from frappe_operator.kube.kinds import CONFIG_MAP, SECRET, SERVICE, Kind, KindOf
from frappe_operator.kube.live import Custom, Live, Meta, OwnerReference, Service, ServiceSpec
from frappe_operator.kube.names import digest
from frappe_operator.kube.objects import Manifest
from frappe_operator.kube.stage import Blocked
from frappe_operator.model import bench as bench_model
from frappe_operator.model import certificate, host_claims, layers, removal
from frappe_operator.model.bench import Names
from frappe_operator.model.database import SECRET_KEYS
from frappe_operator.model.image import Facts
from frappe_operator.model.layer import Layer
from frappe_operator.model.layers import LAYERS
from frappe_operator.model.settings import Images
from frappe_operator.model.site import SiteNames

L = TypeVar("L", bound=Live)

INDICES = {**host_claims.INDICES, **removal.INDICES}
"""The indices that the reconciles of declared objects use."""

ASSUMED_VERSION = "16"
"""The Frappe version that is assumed for a frappeVersion without a number, such as `develop` or `build-7`."""

ASSUMED_ADDRESS = "192.0.2.1"
"""The address that is assumed of the Service of the web pods of a site."""


class Object(NamedTuple, Generic[L]):
    """An object that a file declares, with the document that it was read from."""

    kind: KindOf[L]
    document: Document
    live: L


class Declared:
    """A View of the declared objects, as a cluster in which the operator has created nothing yet.

    Facts that only a cluster has are assumed: an image contains the apps in the specs of bench and sites, in the
    version of frappeVersion; app layers are built; Services have an address; a Secret that no file declares exists and
    is valid; all objects have the same age.
    """

    def __init__(self, documents: Sequence[Document], namespace: str, images: Images) -> None:
        self.images = images
        self.objects: list[Object[Any]] = [
            Object(kind, document, live(kind, document, namespace))
            for document in documents
            if (kind := kind_of(document)) is not None
        ]

    def of(self, kind: KindOf[L]) -> list[Object[L]]:
        """All objects of a kind, in the order of the files."""
        return cast(list[Object[L]], [each for each in self.objects if each.kind is kind])

    def all(self, kind: KindOf[L]) -> list[L]:
        return [each.live for each in self.of(kind)]

    def find(self, kind: KindOf[L], namespace: str, name: str) -> Object[L] | None:
        """The first object with this kind and name; None when no file declares it."""
        return next((each for each in self.of(kind) if each.live.metadata.key == (namespace, name)), None)

    def get(self, kind: KindOf[L], namespace: str, name: str) -> L | None:
        if kind is SERVICE:
            return cast(L, self._service(namespace, name))
        found = self.find(kind, namespace, name) if kind in OWN else None
        return found and found.live

    def _service(self, namespace: str, name: str) -> Service | None:
        """The Service of the web pods of a site, with an assumed address."""
        for site in self.of(SITE):
            meta = site.live.metadata
            if (meta.namespace, SiteNames(meta.name).gunicorn) == (namespace, name):
                owner = OwnerReference(SITE.kind, meta.name, meta.uid, controller=True)
                return Service(
                    Meta(name=name, namespace=namespace, owner_references=(owner,)), ServiceSpec(ASSUMED_ADDRESS)
                )
        return None

    def select(self, kind: KindOf[L], index: str, value: str) -> list[L]:
        if kind is not SITE:
            return []
        sites = [each.live for each in self.objects if each.kind is SITE]
        return [each for each in sites if value in INDICES[index](each)]

    def not_installed(self, kind: Kind) -> str:
        """Always empty: the cluster has every kind that a file needs."""
        return ""

    async def list(self, kind: Kind, namespace: str, labels: str) -> list[Manifest]:
        """Always empty: there are no pods."""
        return []

    async def body(
        self, kind: Kind, namespace: str, name: str, keep: Callable[[bytes], bytes] | None = None
    ) -> Manifest | None:
        """The Secret of an external database, or a ConfigMap of a bench: with the facts of its image, or with its app
        layers. None for other objects: no child depends on what is in a certificate."""
        if kind is SECRET and keep is certificate.projected:
            return None
        if kind is SECRET:
            return self.secret(namespace, name)
        for bench in self.of(BENCH):
            meta = bench.live.metadata
            if kind is CONFIG_MAP and meta.namespace == namespace and Names(meta.name).image == name:
                release = self.facts(bench.live).with_layers(self.layers(bench.live))
                return {"data": {"facts": msgspec.json.encode(release).decode()}}
            if kind is CONFIG_MAP and meta.namespace == namespace and Names(meta.name).apps == name:
                return {"data": {LAYERS: msgspec.json.encode(self.layers(bench.live)).decode()}}
        return None

    async def read(self, kind: Kind, namespace: str, name: str) -> Manifest | None:
        """Always None: the operator has created no object yet."""
        return None

    def secret(self, namespace: str, name: str) -> Manifest:
        """The Secret of an external database, as a file declares it; otherwise one with placeholders for values."""
        found = self.find(SECRET, namespace, name)
        if found is None:
            # Frappe 15 requires username and database to be equal.
            values = {key: "<database>" if key == "username" else f"<{key}>" for key in SECRET_KEYS}
            return {
                "metadata": {"resourceVersion": "0"},
                "data": {key: _base64(value) for key, value in values.items()},
            }
        encoded = {key: text for key, text in _part(found.document, "data").items() if _is_base64(text)}
        plain = {key: _base64(str(text)) for key, text in _part(found.document, "stringData").items()}
        return {"metadata": {"resourceVersion": "0"}, "data": {**encoded, **plain}}

    def facts(self, bench: LiveBench) -> Facts:
        """The facts that are assumed of a bench's image. Raises Blocked when the spec of the bench is invalid."""
        spec = bench_model.parse(bench)
        try:
            apps = list(bench_model.apps(spec))
        except Blocked:
            # The bench itself reports this problem; a site may name apps of its own.
            apps = ["frappe"]
        for site in self.select(SITE, host_claims.BENCH_INDEX, str(bench.metadata.key)):
            site_spec = readable_spec(site)
            apps += (site_spec.apps if site_spec else None) or []
        version = frappe_version(spec.frappe_version)
        versions = {app: version if app == "frappe" else "" for app in apps}
        return Facts(bench_model.image(spec, self.images).reference, version, "", versions)

    def layers(self, bench: LiveBench) -> tuple[Layer, ...]:
        """The app layers that are assumed to be built: all that the bench needs."""
        orders = layers.orders(bench_model.parse(bench), self.facts(bench), self.images)
        return tuple(
            Layer(order.app, order.key, order.url, order.ref, commit="", image_key=order.image_key) for order in orders
        )


def frappe_version(text: str) -> str:
    """The Frappe version in a frappeVersion: 15 for `version-15`, 15.51.1 for `v15.51.1`; otherwise ASSUMED_VERSION."""
    found = re.match(r"(?:version-|v)?([0-9]+(?:\.[0-9]+)*)(?![0-9A-Za-z._])", text)
    return found[1] if found else ASSUMED_VERSION


def kind_of(document: Document) -> Kind | None:
    """The kind of an object; None for a kind that the operator does not use."""
    return ALL.get((str(document.value.get("apiVersion")), str(document.value.get("kind"))))


def live(kind: Kind, document: Document, namespace: str) -> Live:
    """The cached object for a document, as directly after its creation."""
    meta = _part(document, "metadata")
    where, name = str(meta.get("namespace") or namespace), str(meta.get("name") or "")
    # Derived from the name, so that the same files always render the same output.
    uid = digest(f"{document.value.get('kind')}/{where}/{name}", 32)
    spec = msgspec.Raw(msgspec.json.encode(schema.stored(document.value.get("spec") or {})))
    meta_data = Meta(name=name, namespace=where, uid=uid)
    return kind.projection(meta_data, spec) if issubclass(kind.projection, Custom) else Live(meta_data)


def _part(document: Document, name: str) -> dict[str, Any]:
    """A map in an object that has not been validated; empty when the value is not a map."""
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
