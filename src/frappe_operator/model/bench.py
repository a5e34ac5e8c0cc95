"""A bench as decided: every default chosen, every None gone."""

import ipaddress
import json
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec
from msgspec import Struct

from frappe_operator.api.frappebench import (
    APPS_JSON,
    NO_SOURCES_MESSAGE,
    SOURCES,
    FrappeBenchSpec,
)
from frappe_operator.api.kinds import BENCH, LiveBench
from frappe_operator.api.types import ComponentReplicas, ComponentResources, Resources
from frappe_operator.kube.names import child, digest
from frappe_operator.kube.objects import Manifest
from frappe_operator.kube.reasons import Reason
from frappe_operator.kube.stage import Blocked
from frappe_operator.model import route
from frappe_operator.model.image import REFUSED, Facts, Image, facts_from
from frappe_operator.model.owner import Owner
from frappe_operator.model.redis_sizing import redis_defaults, redis_memory
from frappe_operator.model.route import Route
from frappe_operator.model.settings import Images
from frappe_operator.model.sizing import Size, limits, replicas, resources, written

RWO, RWX = "ReadWriteOnce", "ReadWriteMany"
INSPECT_ANNOTATION = "vyogo.tech/inspect-image"
"""On a bench: another value has its image inspected again, in case its tag has moved."""
ACCESS_MODES_ANNOTATION = "vyogo.tech/access-modes"
STATEFUL_NAME_LIMIT = 52
"""A StatefulSet's name with its revision's hash becomes a label value of its pods."""

SHARED_FILE_PROVISIONERS = frozenset(
    {
        "efs.csi.aws.com",
        "file.csi.azure.com",
        "filestore.csi.storage.gke.io",
        "nfs.csi.k8s.io",
        "cephfs.csi.ceph.com",
        "rook-ceph.cephfs.csi.ceph.com",
        "driver.longhorn.io",
        "csi.juicefs.com",
        "cluster.local/nfs-subdir-external-provisioner",
    }
)
"""Provisioners whose volumes many nodes may write at once."""


class Volume(Struct, frozen=True):
    """A claim for storage."""

    size: str
    storage_class: str | None
    access_mode: str
    """What is wanted."""
    live_mode: str = ""
    """Access mode of the claim that exists, which cannot change; empty while there is none."""

    @property
    def one_node(self) -> bool:
        """Whether all pods that use it must run on one node."""
        return (self.live_mode or self.access_mode) == RWO


class Redis(Struct, frozen=True):
    image: str
    max_memory: str
    """Of the cache, as Redis spells it."""
    volume: Volume
    """Of the queue."""
    resources: Manifest
    revision: str = ""
    """Of the Secret with the password that the servers are to run with; empty while there was none yet."""


class MariaDB(Struct, frozen=True):
    """The bench's own database server."""

    image: str
    volume: Volume
    resources: Manifest
    revision: str = ""
    """Of the Secret with root's password, likewise."""


class Revisions(Struct, frozen=True):
    """Revisions of generated Secrets that are read at a server's start, empty where there is none."""

    redis: str = ""
    mariadb: str = ""


NO_REVISIONS = Revisions()


def secret_revision(uid: str, version: str) -> str:
    """Fingerprint of a version of a Secret. Nothing that is in it goes into it."""
    return digest(f"{uid}/{version}")


class Names(Struct, frozen=True):
    """Names of a bench's children that its sites refer to."""

    bench: str

    @property
    def nginx(self) -> str:
        return child(self.bench, "nginx")

    @property
    def redis(self) -> str:
        return child(self.bench, "redis")

    @property
    def redis_cache(self) -> str:
        return child(self.bench, "redis-cache", STATEFUL_NAME_LIMIT)

    @property
    def redis_queue(self) -> str:
        return child(self.bench, "redis-queue", STATEFUL_NAME_LIMIT)

    @property
    def mariadb(self) -> str:
        return child(self.bench, "mariadb", STATEFUL_NAME_LIMIT)

    @property
    def mariadb_root(self) -> str:
        return child(self.bench, "mariadb-root")

    @property
    def runner(self) -> str:
        return child(self.bench, "runner")

    @property
    def image(self) -> str:
        return child(self.bench, "image")

    @property
    def common(self) -> str:
        return child(self.bench, "common")


class Upstream(Struct, frozen=True):
    """Where the proxy sends the requests of one host."""

    host: str
    service: str
    site: str


class Bench(Struct, frozen=True):
    """A bench as decided."""

    owner: Owner
    apps: tuple[str, ...]
    image: Image
    """The image the spec asks for. Sites run the one in `facts`."""
    facts: Facts | None
    refused: Facts | None
    """What was found in the image of the spec, while that must not reach the sites."""
    nginx: Size
    nginx_image: str
    redis: Redis
    common: Volume
    mariadb: MariaDB
    mariadb_wanted: bool
    jobs: Manifest
    """`resources` of the Job that inspects the image."""
    trusted_proxies: tuple[str, ...]
    """Networks whose word about a visitor's address and scheme counts."""
    upstreams: tuple[Upstream, ...] = ()

    @property
    def names(self) -> Names:
        return Names(self.owner.name)


class BenchOffer(Struct, frozen=True):
    """What a site may know of its bench."""

    name: str
    apps: tuple[str, ...]
    facts: Facts | None
    """What was found in the image that sites run; None until an image has been inspected."""
    running_image: Image | None
    """That image; None until an image has been inspected."""
    suffix: str | None
    route: Route
    """Of its sites, unless they say otherwise."""
    redis_revision: str
    """Of the Secret with the password of Redis that the servers run with."""
    replicas: ComponentReplicas | None
    """The defaults of its sites."""
    resources: ComponentResources | None
    """The defaults of its sites."""

    @property
    def names(self) -> Names:
        return Names(self.name)


def offer(live: LiveBench, spec: FrappeBenchSpec, images: Images, facts: Facts | None) -> BenchOffer:
    """What a bench offers its sites. `facts`: what was found in the image that they run.

    Decided from the bench's spec and status alone: what a site's reconcile reads of its bench is this and nothing else.
    """
    asked = image(spec, images)
    return BenchOffer(
        name=live.metadata.name,
        apps=_apps(spec, live),
        facts=facts,
        running_image=Image(facts.pinned, asked.pull_policy, asked.pull_secrets) if facts else None,
        suffix=spec.domain_config.suffix if spec.domain_config else None,
        route=route.of_bench(spec.ingress),
        redis_revision=revisions(live).redis,
        replicas=spec.component_replicas,
        resources=spec.component_resources,
    )


def parse(live: LiveBench) -> FrappeBenchSpec:
    """The spec as asked. Raises Blocked when it is not one."""
    try:
        return msgspec.json.decode(live.spec, type=FrappeBenchSpec)
    except msgspec.MsgspecError as error:
        raise Blocked(Reason.INVALID_SPEC, f"spec: {error}") from error


def suffix(live: LiveBench) -> str | None:
    """The domain suffix of a bench, None where it has none or its spec is none."""
    try:
        spec = parse(live)
    except Blocked:
        return None
    return spec.domain_config.suffix if spec.domain_config else None


def pull_secrets(live: LiveBench) -> tuple[str, ...]:
    """The bench's pull secrets, none where its spec is none."""
    try:
        asked = parse(live).image_config
    except Blocked:
        return ()
    return tuple(each.name for each in (asked.pull_secrets if asked else None) or [])


def job_resources(live: LiveBench) -> Resources | None:
    """What the bench asks for the Jobs of its sites, None where its spec is none."""
    try:
        asked = parse(live).component_resources
    except Blocked:
        return None
    return asked.jobs if asked else None


def access_modes(provisioner: str, annotation: str) -> str:
    """The best access mode of a StorageClass: what its annotation says, else what its provisioner is known for."""
    if annotation:
        return RWX if RWX in annotation else RWO
    return RWX if provisioner in SHARED_FILE_PROVISIONERS else RWO


def resolve(
    live: LiveBench,
    spec: FrappeBenchSpec,
    images: Images,
    *,
    facts: Facts | None,
    refused: Facts | None = None,
    access_mode: str,
    live_mode: str = "",
    mariadb_wanted: bool = False,
    upstreams: tuple[Upstream, ...] = (),
    secrets: Revisions = NO_REVISIONS,
) -> Bench:
    """Decides everything about a bench. `access_mode`: what its StorageClass, or its claim if there is one, can do.
    `live_mode`: the access mode of its claim, empty while there is none. `secrets`: those that exist and are good;
    where there is none, the servers stay with the one they run with.

    What is wrong with the spec, bench/checks.py says; here it has a value that keeps what exists as it is. Raises
    Blocked for an amount that is none.
    """
    storage, redis, database = spec.storage, spec.redis_config, spec.database_config
    asked_mode = storage.access_mode if storage else None
    asked = spec.component_resources
    before = revisions(live)
    limit = limits("redis", asked.redis if asked else None).get("memory")
    max_memory = redis_memory(redis.max_memory if redis else None, limit)
    return Bench(
        owner=Owner.of(BENCH, live),
        apps=_apps(spec, live),
        image=image(spec, images, request(live, spec, images, facts, refused)),
        facts=facts,
        refused=refused,
        nginx=Size(replicas("nginx", spec.component_replicas), resources("nginx", asked.nginx if asked else None)),
        nginx_image=images.nginx,
        redis=Redis(
            image=(redis.image if redis else None) or images.redis,
            max_memory=max_memory,
            volume=Volume(
                written("redisConfig.storageSize", (redis.storage_size if redis else None) or "1Gi"),
                redis.storage_class_name if redis else None,
                RWO,
            ),
            resources=resources("redis", asked.redis if asked else None, default=redis_defaults(max_memory)),
            revision=secrets.redis or before.redis,
        ),
        common=Volume(
            written("storage.size", (storage.size if storage else None) or "10Gi"),
            storage.storage_class_name if storage else None,
            access_mode if asked_mode in (None, "Auto") else asked_mode,
            live_mode,
        ),
        mariadb=MariaDB(
            image=(database.image if database else None) or images.mariadb,
            volume=Volume(
                written("databaseConfig.storageSize", (database.storage_size if database else None) or "10Gi"),
                database.storage_class_name if database else None,
                RWO,
            ),
            resources=resources("mariadb", database.resources if database else None),
            revision=secrets.mariadb or before.mariadb,
        ),
        mariadb_wanted=mariadb_wanted,
        jobs=resources("jobs", asked.jobs if asked else None),
        trusted_proxies=tuple(filter(None, map(_network, spec.trusted_proxies or []))),
        upstreams=upstreams,
    )


def request(live: LiveBench, spec: FrappeBenchSpec, images: Images, *inspected: Facts | None) -> str:
    """The request to inspect the image: the annotation's value, else that of the last inspection of this image."""
    reference = image(spec, images).reference
    before = (each.request for each in inspected if each is not None and each.reference == reference)
    return live.metadata.annotation(INSPECT_ANNOTATION) or next(before, "")


def image(spec: FrappeBenchSpec, images: Images, request: str = "") -> Image:
    """Which image the bench asks for: `imageConfig`, with frappeVersion as the tag it does not name."""
    asked = spec.image_config
    repository = (asked.repository if asked else None) or images.frappe
    if asked and asked.digest:
        reference = f"{repository}@{asked.digest}"
    else:
        reference = f"{repository}:{(asked.tag if asked else None) or spec.frappe_version}"
    secrets = tuple(each.name for each in (asked.pull_secrets if asked else None) or [])
    return Image(reference, (asked.pull_policy if asked else None) or "IfNotPresent", secrets, request)


def trusted_proxies_problem(spec: FrappeBenchSpec) -> str:
    """What is wrong with trustedProxies, of which only networks are trusted; empty when nothing is."""
    wrong = [each for each in spec.trusted_proxies or [] if not _network(each)]
    return f"trustedProxies: {wrong[0]!r} is not a network: must be a network such as 10.244.0.0/16" if wrong else ""


def _network(written: str) -> str:
    """A network as nginx writes it, empty when it is none."""
    try:
        return str(ipaddress.ip_network(written, strict=False))
    except ValueError:
        return ""


def apps(spec: FrappeBenchSpec) -> tuple[str, ...]:
    """The apps of the bench, frappe first, each once. Raises Blocked when appsJSON is not a list of apps."""
    names = [app.name for app in spec.apps or []] or _apps_json(spec.apps_json or "[]")
    return tuple(dict.fromkeys(["frappe", *names]))


class _LastStatus(Struct, rename="camel"):
    """What of a bench's last status is gone by when nothing else can be."""

    installed_apps: tuple[str, ...] = ()
    image: Facts | None = None
    secret_revisions: Revisions = NO_REVISIONS


def _apps(spec: FrappeBenchSpec, live: LiveBench) -> tuple[str, ...]:
    """The apps of the bench; while they cannot be read, those it had when they last could."""
    try:
        return apps(spec)
    except Blocked:
        return _last_status(live).installed_apps or ("frappe",)


def revisions(live: LiveBench) -> Revisions:
    """The Secrets that the servers run with, as the last status says."""
    return _last_status(live).secret_revisions


def _last_status(live: LiveBench) -> _LastStatus:
    try:
        return msgspec.json.decode(live.status_json, type=_LastStatus)
    except msgspec.MsgspecError:
        return _LastStatus()


APP = re.compile("[a-z][a-z0-9_]{0,63}")
"""As the typed form spells them."""


def _apps_json(text: str) -> list[str]:
    try:
        listed = json.loads(text, object_pairs_hook=_App)
    except ValueError as error:
        raise Blocked(Reason.INVALID_SPEC, f"appsJSON is not JSON ({error}): must be {APPS_JSON}") from error
    except RecursionError as error:
        raise Blocked(Reason.INVALID_SPEC, f"appsJSON is nested too deeply: must be {APPS_JSON}") from error
    apps = listed if isinstance(listed, list) else [listed]
    if any(name in SOURCES for app in apps if isinstance(app, _App) for name, _ in app.fields):
        raise Blocked(Reason.INVALID_SPEC, f"appsJSON: {NO_SOURCES_MESSAGE}")
    names = [app.name if isinstance(app, _App) else app for app in apps]
    if apps is not listed or not all(isinstance(name, str) and APP.fullmatch(name) for name in names):
        raise Blocked(Reason.INVALID_SPEC, f"appsJSON contains something else than apps: must be {APPS_JSON}")
    return [str(name) for name in names]


class _App(NamedTuple):
    """An object of appsJSON as it is written, with what stands in it twice."""

    fields: list[tuple[str, Any]]

    @property
    def name(self) -> object:
        """What it names, None where it says anything else besides."""
        said = dict(self.fields)
        fine = (
            len(said) == len(self.fields)
            and said.keys() <= {"name", "source"}
            and said.get("source", "image") == "image"
        )
        return said.get("name") if fine else None


def missing_apps(bench: Bench) -> list[str]:
    """Apps the spec names that the image was found not to hold."""
    if bench.facts is None:
        return []
    return [app for app in bench.apps if app not in bench.facts.apps]


class Inspected(NamedTuple):
    """What the ConfigMap `<bench>-image` keeps."""

    facts: Facts | None = None
    refused: Facts | None = None


def inspected(live: LiveBench, data: Mapping[str, Any]) -> Inspected:
    """What was found in the bench's images. When the ConfigMap has been lost, what sites run is in the last status."""
    return Inspected(facts_from(data) or _last_status(live).image, facts_from(data, REFUSED))
