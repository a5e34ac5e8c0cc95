"""Objects as a real cluster has them once a bench and its site are ready: made once, then copied by number.

They come out of a whole `World`: the product's own controllers have written them, the API server has filled
in defaults, owners and addresses, the cluster's controllers their status. Only numbers differ from copy to copy.
"""

import itertools
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from operator import attrgetter, itemgetter
from typing import Any

import orjson

from fakecluster.samples import a_bench, a_site, a_world
from fakecluster.world import World, settle
from frappe_operator.api.kinds import ALL, BENCH, SITE
from frappe_operator.api.labels import BENCH_LABEL, SITE_LABEL
from frappe_operator.kube.kinds import CONFIG_MAP, EVENT, LEASE, NAMESPACE, POD, SECRET, SERVICE, STORAGE_CLASS, Kind
from frappe_operator.kube.live import OPERATOR_NAME
from frappe_operator.kube.names import JOB_LABEL, MANAGED_BY
from frappe_operator.kube.objects import Manifest
from frappe_operator.model.bench import Names, secret_revision
from frappe_operator.model.database import database_name, mark
from frappe_operator.model.proxy import DEFAULT
from frappe_operator.model.site import CONFIGURATION_ANNOTATION, configuration

NAMESPACE_OF, BENCH_OF, SITE_OF = "tenant-{:03}", "bench-{:03}", "site-{:05}"
"""Names by number; all of one length, so that their order is the numbers'."""
MODEL_NAMESPACE, MODEL_BENCH, MODEL_SITE = "tenant-xxx", "bench-yyy", "site-zzzzz"
METADATA_KINDS = (CONFIG_MAP, SECRET)
WATCHED = {each.kind: each for each in ALL.values() if each not in (EVENT, LEASE, NAMESPACE)}
UID = re.compile(rb"[0-9a-f]{8}-0000-4000-8000-[0-9a-f]{12}")
SITES_PLACE, VERSION_PLACE = 987654321, "@version@"
PROXY = "127.0.88.1"
"""A loopback address at which the synthetic server answers what a bench's proxy is asked."""


@dataclass(frozen=True)
class Place:
    """Which copy of a template: numbers of its namespace, bench and site, and those of the sites of that bench."""

    tenant: int
    bench: int
    site: int
    sites: range

    @property
    def namespace(self) -> str:
        return NAMESPACE_OF.format(self.tenant)


Fill = Callable[[Place, int], bytes]
"""Renders one placeholder of a template: a function of the copy and its resourceVersion."""


def _text(format_: str, number: str) -> Fill:
    number_of = attrgetter(number)
    return lambda place, _: format_.format(number_of(place)).encode()


def _database(place: Place, _: int) -> bytes:
    name = SITE_OF.format(place.site)
    return database_name(place.namespace, name, uid_of(_model_uid[0], place.site))[1:].encode()


def _lines(model: str) -> Fill:
    """A line for each of the bench's sites, as it stands in a JSON string."""

    def fill(place: Place, _: int) -> bytes:
        names = (SITE_OF.format(number) for number in place.sites)
        return orjson.dumps("".join(model.replace(MODEL_SITE, name) for name in names))[1:-1]

    return fill


_model_uid: list[str] = []
"""UID of the model's site, part of which is in the name of its database."""


def uid_of(model: str, number: int) -> str:
    """The UID of a copy."""
    return f"{model[:8]}-0000-4000-8000-{number:012x}"


class Template:
    """One object of the model: `render` makes any copy of it."""

    def __init__(self, kind: Kind, model: Manifest, per_site: bool, fills: dict[bytes, Fill], *, partial: bool) -> None:
        self.kind = kind
        self.name: str = model["metadata"]["name"]
        self.per_site = per_site
        self.model = model
        number = "site" if per_site else "bench"
        # Of a custom resource the server knows no fields: it writes them by the alphabet.
        sort = orjson.OPT_SORT_KEYS if kind in (BENCH, SITE) else None
        self._whole = Parts(orjson.dumps(_ordered(model), option=sort), fills, number)
        self._partial = Parts(orjson.dumps(_only_metadata(model)), fills, number) if partial else self._whole
        self._labels = Parts(orjson.dumps(model["metadata"].get("labels", {})), fills, number)

    def render(self, place: Place, version: int) -> bytes:
        """The whole object."""
        return self._whole.filled(place, version)

    def render_partial(self, place: Place, version: int) -> bytes:
        """Its metadata, as PartialObjectMetadata."""
        return self._partial.filled(place, version)

    def labels(self, place: Place, version: int) -> dict[str, str]:
        """The labels of a copy."""
        labels: dict[str, str] = orjson.loads(self._labels.filled(place, version))
        return labels

    def uid_of(self, place: Place) -> str:
        """The UID of a copy."""
        return uid_of(self.model["metadata"]["uid"], place.site if self.per_site else place.bench)

    def name_of(self, place: Place) -> str:
        name = self.name.replace(MODEL_SITE, SITE_OF.format(place.site))
        return name.replace(MODEL_BENCH, BENCH_OF.format(place.bench))

    def spread(self) -> "Template":
        """A template with a copy per site, made from an object of the bench: for size only."""
        text = orjson.dumps(self.model).replace(MODEL_BENCH.encode(), MODEL_SITE.encode())
        model = orjson.loads(text)
        model["metadata"]["annotations"] |= {"benchmark": "-" * 150}
        return Template(self.kind, model, True, _FILLS, partial=False)

    def variant(self, change: Callable[[Manifest], None]) -> "Template":
        """The same object in another state."""
        model = orjson.loads(orjson.dumps(self.model))
        change(model)
        return Template(self.kind, model, self.per_site, _FILLS, partial=self._partial is not self._whole)


class Parts:
    """A template's bytes with placeholders, each of which is rendered once per copy."""

    def __init__(self, data: bytes, fills: dict[bytes, Fill], number: str) -> None:
        pattern = re.compile(b"(" + b"|".join([UID.pattern, *map(re.escape, fills)]) + b")")
        pieces = pattern.split(data)
        words = list(dict.fromkeys(pieces[1::2]))
        self._fills = [fills.get(word) or _uid(word, number) for word in words]
        literals = pieces[::2]
        places = [len(literals) + words.index(word) for word in pieces[1::2]]
        order = [
            each for pair in itertools.zip_longest(range(len(literals)), places) for each in pair if each is not None
        ]
        self._literals = tuple(literals)
        # With one index only, itemgetter would give no tuple.
        self._in_order = itemgetter(*order) if len(order) > 1 else tuple

    def filled(self, place: Place, version: int) -> bytes:
        """One copy."""
        return b"".join(self._in_order((*self._literals, *[fill(place, version) for fill in self._fills])))


def _uid(word: bytes, number: str) -> Fill:
    return _text(f"{word[:8].decode()}-0000-4000-8000-{{:012x}}", number)


def _ordered(obj: Manifest) -> Manifest:
    """Fields in the order in which the API server writes them."""
    first: Manifest = {name: obj[name] for name in ("apiVersion", "kind", "metadata") if name in obj}
    status = {"status": obj["status"]} if "status" in obj else {}
    return {**first, **{name: value for name, value in obj.items() if name not in {*first, "status"}}, **status}


def _only_metadata(obj: Manifest) -> Manifest:
    return {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": obj["metadata"]}


_FILLS: dict[bytes, Fill] = {}


def templates() -> list[Template]:
    """Every object of a bench with sites that the operator watches, the two themselves among them."""
    world = a_world(
        _placed(a_bench(MODEL_BENCH)),
        _placed(a_site(MODEL_SITE, MODEL_BENCH)),
    )
    settle(world)
    try:
        return list(_templates(world))
    finally:
        world.end()


def _templates(world: World) -> Iterable[Template]:
    found = [world.get_existing(ref) for ref in world.api.store.refs() if ref.kind.kind in WATCHED]
    models = [orjson.loads(orjson.dumps(each)) for each in found]
    site = next(each for each in models if each["kind"] == SITE.kind)
    _model_uid[:] = [site["metadata"]["uid"]]
    secret = next(each for each in models if each["metadata"]["name"] == site["status"]["dbConnectionSecret"])
    create = next(each for each in models if each["metadata"]["name"] == f"{MODEL_SITE}-create")
    # Its Job says which version of the Secret a site was given, and pods those of the bench's: the same in every copy.
    revision = secret["metadata"]["resourceVersion"]
    names = Names(MODEL_BENCH)
    read_at_start = [each for each in models if each["metadata"]["name"] in (names.redis, names.mariadb_root)]
    fixed = [each["metadata"]["name"] for each in (secret, *read_at_start)]
    _FILLS.update(dict(map(_secret_revision, read_at_start)))
    _FILLS.update(
        {
            MODEL_NAMESPACE.encode(): _text(NAMESPACE_OF, "tenant"),
            MODEL_BENCH.encode(): _text(BENCH_OF, "bench"),
            MODEL_SITE.encode(): _text(SITE_OF, "site"),
            site["status"]["databaseName"][1:].encode(): _database,
            mark(site["metadata"]["uid"]).encode(): lambda place, version: _database(place, version)[-8:],
            create["metadata"]["annotations"][CONFIGURATION_ANNOTATION].encode(): lambda place, _: configuration(
                revision, f"http://{SITE_OF.format(place.site)}.example.com", DEFAULT.body_bytes
            ).encode(),
            VERSION_PLACE.encode(): lambda _, version: str(version).encode(),
            str(SITES_PLACE).encode(): lambda place, _: str(len(place.sites)).encode(),
        }
    )
    for model in models:
        kind = WATCHED[model["kind"]]
        if not _seen_by_watch(kind, model):
            continue
        metadata = model["metadata"]
        if metadata["name"] not in fixed:
            metadata["resourceVersion"] = VERSION_PLACE
        if kind == BENCH:
            model["status"]["sites"] = SITES_PLACE
        if kind == SERVICE and metadata["name"] == names.nginx:
            model["spec"] |= {"clusterIP": PROXY, "clusterIPs": [PROXY]}
        if kind == CONFIG_MAP and metadata["name"] == f"{MODEL_BENCH}-nginx":
            _repeat_lines(model["data"])
        per_site = kind == SITE or SITE_LABEL in metadata.get("labels", {})
        yield Template(kind, model, per_site, _FILLS, partial=kind in METADATA_KINDS)


def _secret_revision(secret: Manifest) -> tuple[bytes, Fill]:
    """The revision of a bench's Secret, and the same of its copies."""
    uid, version = (secret["metadata"][name] for name in ("uid", "resourceVersion"))
    return secret_revision(uid, version).encode(), lambda place, _: secret_revision(
        uid_of(uid, place.bench), version
    ).encode()


def _repeat_lines(data: dict[str, str]) -> None:
    """Makes placeholders of the proxy's maps, which have one line per site."""
    for name, text in data.items():
        if text.count("\n") == 1 and MODEL_SITE in text:
            place = f"@{name}@"
            _FILLS[place.encode()] = _lines(text)
            data[name] = place


def _seen_by_watch(kind: Kind, model: Manifest) -> bool:
    labels: dict[str, Any] = model["metadata"].get("labels", {})
    if kind in (BENCH, SITE, STORAGE_CLASS):
        return True
    ours = labels.get(MANAGED_BY) == OPERATOR_NAME
    return ours and BENCH_LABEL in labels and (kind != POD or JOB_LABEL in labels)


def _placed(obj: Manifest) -> Manifest:
    return {**obj, "metadata": {**obj["metadata"], "namespace": MODEL_NAMESPACE}}
