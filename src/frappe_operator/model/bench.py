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
    MEMORY_LIMIT_MESSAGE,
    MEMORY_MESSAGE,
    NO_SOURCES_MESSAGE,
    SOURCES,
    FrappeBenchSpec,
)
from frappe_operator.api.kinds import BENCH, LiveBench
from frappe_operator.api.types import MEMORY, ComponentReplicas, ComponentResources, Resources
from frappe_operator.kube.names import child, digest
from frappe_operator.kube.objects import Manifest
from frappe_operator.kube.quantities import amount, canonical
from frappe_operator.kube.reasons import Reason
from frappe_operator.kube.stage import Blocked
from frappe_operator.model import route
from frappe_operator.model.owner import Owner
from frappe_operator.model.reasons import FrappeReason
from frappe_operator.model.route import Route
from frappe_operator.model.settings import Images
from frappe_operator.model.sizing import DEFAULTS, Amounts, Size, limits, replicas, resources, written

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


class Image(Struct, frozen=True):
    """An image of Frappe."""

    reference: str
    pull_policy: str = "IfNotPresent"
    pull_secrets: tuple[str, ...] = ()
    request: str = ""
    """The request to inspect it (INSPECT_ANNOTATION): another one is another image, though its name is the same."""

    @property
    def key(self) -> str:
        """Names the image where its reference cannot stand."""
        return _image_key(self.reference, self.request)


class Facts(Struct, frozen=True, rename="camel"):
    """What was found in an image by running it once."""

    reference: str
    """The image as the spec names it. What pods run is `pinned`."""
    frappe_version: str
    python: str
    apps: dict[str, str]
    previous_key: str = ""
    """Key of the image before, whose assets are still served."""
    digest: str = ""
    """Of the image that was inspected; empty when its node did not tell, or an earlier operator did not ask."""
    request: str = ""

    @property
    def key(self) -> str:
        return _image_key(self.reference, self.request)

    @property
    def pinned(self) -> str:
        """The very image that was inspected, whatever becomes of its tag."""
        return f"{self.reference}@{self.digest}" if self.digest and "@" not in self.reference else self.reference

    def answer(self, image: "Image") -> bool:
        """Whether this is what was found in `image`, as it is asked for."""
        return self.reference == image.reference and self.request == image.request

    @property
    def versions(self) -> dict[str, str]:
        """By app, frappe included."""
        return {**self.apps, "frappe": self.frappe_version}

    @property
    def major(self) -> int:
        """Frappe's major version."""
        return int(self.frappe_version.split(".")[0])


def _image_key(reference: str, request: str) -> str:
    return digest(f"{reference}\n{request}" if request else reference, 12)


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


UNITS = {"": 1, "k": 1000, "kb": 1024, "ki": 1024, "m": 1000**2, "mb": 1024**2, "mi": 1024**2}
UNITS |= {"g": 1000**3, "gb": 1024**3, "gi": 1024**3, "kib": 1024, "mib": 1024**2, "gib": 1024**3}
USUAL_MEMORY = 256 * 1024**2


def redis_memory(text: str | None, limit: str | None = None) -> str:
    """Bytes, from Kubernetes' spelling or Redis' own (where `mb` is 1024² and `m` is 1000²).

    `limit`: of the server's memory, if one was asked for. Our own choice leaves a quarter of it to Redis itself. It
    also stands for text that is no amount, of which `memory_problem` tells.
    """
    if text is None or not re.fullmatch(f"{MEMORY}|[0-9]+", text):
        return str(min(USUAL_MEMORY, int(amount(limit)) * 3 // 4) if limit and amount(limit) else USUAL_MEMORY)
    number = text.rstrip("kKmMgGiIbB")
    return str(int(number) * UNITS[text[len(number) :].lower()])


def memory_problem(spec: FrappeBenchSpec) -> str:
    """What is wrong with the cache's memory, empty when nothing is.

    With less than a tenth of its limit for its own work Redis is killed before it makes room.
    """
    text = spec.redis_config.max_memory if spec.redis_config else None
    if text is None:
        return ""
    if re.fullmatch(MEMORY, text) is None:
        return f"redisConfig.maxMemory is {text}: {MEMORY_MESSAGE}"
    asked = spec.component_resources
    limit = amount(limits("redis", asked.redis if asked else None).get("memory", "0"))
    return MEMORY_LIMIT_MESSAGE if limit and int(redis_memory(text)) * 10 > limit * 9 else ""


def redis_defaults(max_memory: str) -> Amounts:
    """Resources of a Redis that is given none: room for what it may hold, and half as much for its own work."""
    usual = DEFAULTS["redis"]
    needed = canonical(int(max_memory) * 3 // 2)
    return {**usual, "limits": {"memory": max(usual["limits"]["memory"], needed, key=amount)}}


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


FACTS, REFUSED = "facts", "refused"


def facts_from(data: Mapping[str, Any], key: str = FACTS) -> Facts | None:
    """Facts as the ConfigMap `<bench>-image` keeps them, None when it holds none."""
    try:
        return msgspec.json.decode(data.get(key, ""), type=Facts)
    except msgspec.MsgspecError:
        return None


def refusal(facts: Facts | None, found: Facts | None, used: Mapping[str, str]) -> tuple[str, str] | None:
    """Why sites that run the image of `facts` must not be given the one of `found`; None when they may.

    `used`: by app that a site has installed or asks for, the name of such a site.
    """
    if facts is None or found is None:
        return None
    stay = f"The sites keep running {facts.pinned}"
    for app, site in used.items():
        now, then = facts.versions.get(app), found.versions.get(app)
        if now is None:
            continue
        if then is None:
            return (
                FrappeReason.APP_NOT_IN_IMAGE,
                f"{app} is not in image {found.reference}, but FrappeSite {site} uses it. {stay}: use an image "
                "that contains it (imageConfig)",
            )
        if older(then, now):
            return (
                FrappeReason.VERSION_NOT_SUPPORTED,
                f"Image {found.reference} contains {app} {then}, but the data of FrappeSite {site} is of {app} {now}, "
                f"which cannot be downgraded. {stay}: use an image with {app} {now} or newer "
                f"(imageConfig, frappeVersion), or restore a backup that was taken with {then} into a new site on "
                "another bench",
            )
    return None


def older(version: str, than: str) -> bool:
    """Whether a release comes before another: 15.51.1 before 15.102.0, 16.0.0-dev before 16.0.0. What cannot be told,
    as of `15.x.x-develop`, is not older."""
    (numbers, rest), (others, other_rest) = _version(version), _version(than)
    if numbers != others:
        common = min(len(numbers), len(others))
        return numbers[:common] < others[:common]
    return bool(rest) and not other_rest


def _version(text: str) -> tuple[tuple[int, ...], str]:
    """The numbers a version begins with, and the rest."""
    match = re.match(r"v?(\d{1,9}(?:\.\d{1,9})*)", text)
    return (tuple(map(int, match[1].split("."))), text[match.end() :]) if match else ((), text)


def image_digest(reference: str, image_id: str) -> str:
    """The digest by which an image that was pulled as `reference` can be pulled again, from a container's `imageID`.

    Empty when that names no digest of the same repository: of an image that was loaded by hand, the node knows only
    its own number.
    """
    repository, at, found = image_id.removeprefix("docker-pullable://").partition("@")
    asked = re.sub(r":[^/:]*$", "", reference.partition("@")[0])
    same = at and _whole(repository) == _whole(asked)
    return found if same and re.fullmatch("sha256:[0-9a-f]{64}", found) else ""


def _whole(repository: str) -> str:
    """A repository with the registry it is in when it names none."""
    first, slash, _ = repository.partition("/")
    if slash and (first == "localhost" or "." in first or ":" in first):
        return repository
    return f"docker.io/{repository}" if slash else f"docker.io/library/{repository}"
