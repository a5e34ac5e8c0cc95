"""The desired state of a bench, with every default applied."""

import ipaddress
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import msgspec
from msgspec import Struct

from frappe_operator.api.frappebench import FrappeBenchSpec
from frappe_operator.api.ingress import BenchIngress
from frappe_operator.api.kinds import BENCH, LiveBench, readable_spec
from frappe_operator.api.proxy import Proxy
from frappe_operator.api.scaling import ComponentHPA, Gunicorn
from frappe_operator.api.tls import BenchTls
from frappe_operator.api.types import ComponentReplicas, ComponentResources, Resources
from frappe_operator.kube.names import child, digest
from frappe_operator.kube.objects import Manifest
from frappe_operator.kube.reasons import Reason
from frappe_operator.kube.stage import Blocked
from frappe_operator.model import apps as app_model
from frappe_operator.model import route
from frappe_operator.model.domain_defaults import (
    NO_ADDRESS,
    NO_DEFAULTS,
    DetectedAddress,
    DomainDefaults,
    defaults,
    service,
)
from frappe_operator.model.image import INSPECTED, REFUSED, Facts, Image, earlier_from, facts_from
from frappe_operator.model.layer import Layer
from frappe_operator.model.layers import Order
from frappe_operator.model.owner import Owner
from frappe_operator.model.proxy import DEFAULT, Limits
from frappe_operator.model.redis_sizing import redis_defaults, redis_memory
from frappe_operator.model.scaling import NOTHING_LIVE, LiveScale, Scale, autoscaler, scale
from frappe_operator.model.settings import Images
from frappe_operator.model.sizing import Size, limits, quantity, replicas, resources, size
from frappe_operator.model.upgrade_policy import UpgradePolicy, upgrade_policy
from frappe_operator.model.waves import Wave

RWO, RWX = "ReadWriteOnce", "ReadWriteMany"
INSPECT_ANNOTATION = "vyogo.tech/inspect-image"
"""Annotation of a FrappeBench. A new value has the image inspected again, because its tag may have moved."""
ACCESS_MODES_ANNOTATION = "vyogo.tech/access-modes"
"""Annotation of a StorageClass: the access modes that its volumes support."""
STATEFUL_NAME_LIMIT = 52
"""Longest name of a StatefulSet in characters: name and revision hash together become a label value of its pods."""

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
"""Provisioners whose volumes support ReadWriteMany."""


class Volume(Struct, frozen=True):
    """The desired PersistentVolumeClaim of a component."""

    size: str
    storage_class: str | None
    access_mode: str
    """The desired access mode."""
    live_mode: str = ""
    """Access mode of the existing claim, which is immutable; empty while there is no claim."""

    @property
    def one_node(self) -> bool:
        """Whether all pods that mount the volume must run on one node."""
        return (self.live_mode or self.access_mode) == RWO


class Redis(Struct, frozen=True):
    """The desired state of the two Redis servers of a bench."""

    image: str
    max_memory: str
    """`maxmemory` of the cache in bytes."""
    volume: Volume
    """The claim of the queue."""
    resources: Manifest
    revision: str = ""
    """Revision of the Secret with the password that the servers run with; empty before the first Secret exists."""


class MariaDB(Struct, frozen=True):
    """The desired state of a MariaDB server, of a bench or of one site."""

    name: str
    """Name of its StatefulSet and Service."""
    root: str
    """Name of the Secret with the password of root."""
    image: str
    volume: Volume
    resources: Manifest
    revision: str = ""
    """Revision of the Secret with the password of root; empty before the first Secret exists."""
    max_connections: int = 500
    buffer_pool: str = ""
    """Memory in which it keeps data, in its own notation; empty for its default."""


class Revisions(Struct, frozen=True):
    """Revisions of the generated Secrets that servers read when they start; empty for a Secret that does not exist."""

    redis: str = ""
    mariadb: str = ""


NO_REVISIONS = Revisions()
NO_WAVE = Wave()


def secret_revision(uid: str, version: str) -> str:
    """Fingerprint of a version of a Secret, from its UID and resourceVersion; nothing of its data goes into it."""
    return digest(f"{uid}/{version}")


class Names(Struct, frozen=True):
    """Names of the children of a bench, to which its sites refer."""

    bench: str

    @property
    def nginx(self) -> str:
        return child(self.bench, "nginx")

    @property
    def proxy_word(self) -> str:
        return child(self.bench, "proxy-word")

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
    def apps(self) -> str:
        return child(self.bench, "apps")

    @property
    def common(self) -> str:
        return child(self.bench, "common")


class Upstream(Struct, frozen=True):
    """What the proxy of the bench does with requests for one host."""

    host: str
    service: str
    """The Service of the web pods to which it routes them."""
    site: str
    """The site, as Frappe calls it."""
    redirect: str = ""
    """The primary host, to which visitors are redirected; empty when the site is served at this host."""
    https: bool = False
    """Whether visitors who come over http are redirected to https."""
    hsts_max_age: int | None = None
    """Seconds of Strict-Transport-Security; None for no header."""
    limits: Limits = DEFAULT
    """Limits of requests to the site."""


class Bench(Struct, frozen=True):
    """The desired state of a bench, with every default applied."""

    owner: Owner
    apps: tuple[str, ...]
    image: Image
    """The image that the spec declares. New sites run the image in `facts`, and existing ones upgrade to it."""
    facts: Facts | None
    """Inspection result of the image of new sites; None until an image has been inspected."""
    refused: Facts | None
    """Inspection result of the image in the spec while sites must not run it; None otherwise."""
    earlier: tuple[Facts, ...]
    """Inspection results of earlier images that some site still runs, or ran before the present one."""
    nginx: Size
    nginx_image: str
    redis: Redis
    common: Volume
    mariadb: MariaDB
    mariadb_needed: bool
    jobs: Manifest
    """The field `resources` of the Jobs."""
    layout: Manifest
    """The field `resources` of init containers."""
    trusted_proxies: tuple[str, ...]
    """Networks whose X-Forwarded headers about address and scheme of a visitor are trusted."""
    upstreams: tuple[Upstream, ...] = ()
    wave: Wave = NO_WAVE
    """The sites whose turn it is to upgrade, and those that follow."""
    inspected: Facts | None = None
    """Inspection result of the image in the spec, without app layers; None until it has been inspected."""
    pending: Facts | None = None
    """The same while its app layers are not built yet; None otherwise."""
    orders: tuple[Order, ...] = ()
    """The app layers that the apps of the spec need with that image."""
    layers: tuple[Layer, ...] = ()
    """The app layers that are on the common storage, the latest last."""
    unused_layers: tuple[Layer, ...] = ()
    """Those of them that are to be removed."""
    live_scale: LiveScale = NOTHING_LIVE
    """What exists of the proxy."""

    @property
    def nginx_scale(self) -> Scale:
        """What is applied to the Deployment of the proxy of its number of replicas."""
        return scale(self.nginx.replicas, self.nginx.autoscaler, self.live_scale)

    @property
    def layers_image(self) -> Image:
        """The image that builds and removes app layers."""
        facts = self.inspected or self.facts
        assert facts is not None, "an image has been inspected"
        return Image(facts.pinned, self.image.pull_policy, self.image.pull_secrets)

    @property
    def names(self) -> Names:
        return Names(self.owner.name)

    @property
    def served_keys(self) -> list[str]:
        """Keys of the images whose assets are served: that of new sites (the inspected one while its app layers are
        not built), and all earlier ones."""
        facts = self.facts or self.inspected
        keys = [facts.image_key, facts.previous_key] if facts else []
        return list(dict.fromkeys(key for key in (*keys, *(each.image_key for each in self.earlier)) if key))


class BenchOffer(Struct, frozen=True):
    """The part of a bench that its sites use."""

    name: str
    apps: tuple[str, ...]
    target: Facts | None
    """Inspection result of the image that new sites run and existing ones upgrade to; None until one was inspected."""
    releases: Mapping[str, Facts]
    """Every image that sites may run, by key: `target`, and earlier ones."""
    pull_policy: str
    pull_secrets: tuple[str, ...]
    upgrade: UpgradePolicy
    """How sites upgrade."""
    upgrading: frozenset[str]
    """Names of the sites whose turn it is to upgrade."""
    removing: frozenset[str]
    """Names of the sites whose turn it is to remove apps."""
    domains: DomainDefaults
    """How sites are named that have no domain of their own."""
    ingress: BenchIngress | None
    """Default route of the sites."""
    tls: BenchTls | None
    """Default TLS of the sites."""
    proxy: Proxy | None
    """Default limits of requests to the sites."""
    redis_revision: str
    """Revision of the Secret with the password that the Redis servers run with."""
    replicas: ComponentReplicas | None
    """Default replicas per component of the sites."""
    resources: ComponentResources | None
    """Default resources per component of the sites."""
    autoscaling: ComponentHPA | None = None
    """Default autoscalers of the sites."""
    gunicorn: Gunicorn | None = None
    """Default settings of the web servers of the sites."""
    common_on_one_node: bool = False
    """Whether all pods that mount the common storage must run on one node."""
    mariadb_image: str = ""
    """Default image of a MariaDB server of a site alone."""

    @property
    def names(self) -> Names:
        return Names(self.name)

    @property
    def target_image(self) -> Image | None:
        """The image that new sites run and existing ones upgrade to; None until one has been inspected."""
        return self.image(self.target) if self.target else None

    def image(self, facts: Facts) -> Image:
        """The image of an inspection result, pulled as the bench declares."""
        return Image(facts.pinned, self.pull_policy, self.pull_secrets)


def offer(
    live: LiveBench, spec: FrappeBenchSpec, images: Images, found: "Inspected", common_mode: str = ""
) -> BenchOffer:
    """The part of a bench that its sites use. `found`: the inspection results of its images. `common_mode`: access mode
    of the claim for the common storage, empty while there is none.

    It follows from spec, status and claim of the bench alone. The reconcile of a site reads nothing else of its bench.
    """
    declared = image(spec, images)
    return BenchOffer(
        name=live.metadata.name,
        apps=_apps(spec, live),
        target=found.facts,
        releases=found.releases,
        pull_policy=declared.pull_policy,
        pull_secrets=declared.pull_secrets,
        upgrade=upgrade_policy(spec.upgrade),
        upgrading=frozenset(turns(live).upgrading),
        removing=frozenset(turns(live).removing),
        domains=domain_defaults(live),
        ingress=spec.ingress,
        tls=spec.tls,
        proxy=spec.proxy,
        redis_revision=revisions(live).redis,
        replicas=spec.component_replicas,
        resources=spec.component_resources,
        autoscaling=spec.component_hpa,
        gunicorn=spec.gunicorn,
        common_on_one_node=common_mode == RWO,
        mariadb_image=images.mariadb,
    )


CERTIFICATE_INDEX = "certificate"
"""Index over all FrappeBenches: by the Secret with the certificate of all their sites."""


def by_certificate(live: LiveBench) -> list[str]:
    """Index value: the Secret with the certificate of all sites as `namespace/name`; none without one."""
    spec = readable_spec(live)
    name = spec.tls.secret_name if spec and spec.tls else None
    return [f"{live.metadata.namespace}/{name}"] if name else []


INDICES: dict[str, Callable[[LiveBench], list[str]]] = {CERTIFICATE_INDEX: by_certificate, **route.INDICES}


def parse(live: LiveBench) -> FrappeBenchSpec:
    """The decoded spec of a bench. Raises Blocked when it does not match the schema."""
    try:
        return msgspec.json.decode(live.spec, type=FrappeBenchSpec)
    except msgspec.MsgspecError as error:
        raise Blocked(Reason.INVALID_SPEC, f"spec: {error}") from error


def domain_defaults(live: LiveBench) -> DomainDefaults:
    """The domain configuration of a bench as its sites use it; they are named by their siteName when the spec does not
    match the schema."""
    spec = readable_spec(live)
    if spec is None or spec.domain_config is None:
        return NO_DEFAULTS
    # Most benches are decided by their spec alone: the status is long.
    needs_status = service(spec.domain_config, live.metadata.namespace) is not None
    recorded = detected_address(live) if needs_status else NO_ADDRESS
    return defaults(spec.domain_config, live.metadata.namespace, recorded)


def pull_secrets(live: LiveBench) -> tuple[str, ...]:
    """Names of the pull secrets of a bench; empty when its spec does not match the schema."""
    spec = readable_spec(live)
    config = spec.image_config if spec else None
    return tuple(each.name for each in (config.pull_secrets if config else None) or [])


def job_resources(live: LiveBench) -> Resources | None:
    """The declared resources of the Jobs of a bench; None when not set, or the spec does not match the schema."""
    spec = readable_spec(live)
    return spec.component_resources.jobs if spec and spec.component_resources else None


def access_modes(provisioner: str, annotation: str) -> str:
    """The access mode to use with a StorageClass: from its annotation if set, otherwise from its provisioner."""
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
    earlier: tuple[Facts, ...] = (),
    access_mode: str,
    live_mode: str = "",
    mariadb_needed: bool = False,
    upstreams: tuple[Upstream, ...] = (),
    wave: Wave = NO_WAVE,
    secrets: Revisions = NO_REVISIONS,
    inspected: Facts | None = None,
    pending: Facts | None = None,
    orders: tuple[Order, ...] = (),
    layers: tuple[Layer, ...] = (),
    unused_layers: tuple[Layer, ...] = (),
    live_scale: LiveScale = NOTHING_LIVE,
) -> Bench:
    """The desired state of a bench, with every default applied.

    `access_mode`: the mode of the existing claim, otherwise the one that the StorageClass supports. `live_mode`: the
    access mode of the existing claim, empty while there is no claim. `secrets`: revisions of the valid Secrets; for a
    missing one, the servers stay with the revision that they run with. `live_scale`: what exists of the proxy.

    bench/checks.py reports invalid parts of the spec; this function gives them a value that leaves existing children
    unchanged. Raises Blocked for an amount that is not a quantity.
    """
    storage, redis, database = spec.storage, spec.redis_config, spec.database_config
    declared_mode = storage.access_mode if storage else None
    declared = spec.component_resources
    recorded = revisions(live)
    limit = limits("redis", declared.redis if declared else None).get("memory")
    max_memory = redis_memory(redis.max_memory if redis else None, limit)
    return Bench(
        owner=Owner.of(BENCH, live),
        apps=_apps(spec, live),
        image=image(spec, images, request(live, spec, images, facts, refused)),
        facts=facts,
        refused=refused,
        earlier=earlier,
        nginx=size(
            replicas("nginx", spec.component_replicas),
            resources("nginx", declared.nginx if declared else None),
            autoscaler("nginx", spec.component_hpa),
        ),
        nginx_image=images.nginx,
        redis=Redis(
            image=(redis.image if redis else None) or images.redis,
            max_memory=max_memory,
            volume=Volume(
                quantity("redisConfig.storageSize", (redis.storage_size if redis else None) or "1Gi"),
                redis.storage_class_name if redis else None,
                RWO,
            ),
            resources=resources("redis", declared.redis if declared else None, default=redis_defaults(max_memory)),
            revision=secrets.redis or recorded.redis,
        ),
        common=Volume(
            quantity("storage.size", (storage.size if storage else None) or "10Gi"),
            storage.storage_class_name if storage else None,
            access_mode if declared_mode in (None, "Auto") else declared_mode,
            live_mode,
        ),
        mariadb=MariaDB(
            name=Names(live.metadata.name).mariadb,
            root=Names(live.metadata.name).mariadb_root,
            image=(database.image if database else None) or images.mariadb,
            volume=Volume(
                quantity("databaseConfig.storageSize", (database.storage_size if database else None) or "10Gi"),
                database.storage_class_name if database else None,
                RWO,
            ),
            resources=resources("mariadb", database.resources if database else None),
            revision=secrets.mariadb or recorded.mariadb,
        ),
        mariadb_needed=mariadb_needed,
        jobs=resources("jobs", declared.jobs if declared else None),
        layout=resources("layout", declared.layout if declared else None),
        trusted_proxies=tuple(filter(None, map(_network, spec.trusted_proxies or []))),
        upstreams=upstreams,
        wave=wave,
        inspected=inspected,
        pending=pending,
        orders=orders,
        layers=layers,
        unused_layers=unused_layers,
        live_scale=live_scale,
    )


def request(live: LiveBench, spec: FrappeBenchSpec, images: Images, *inspected: Facts | None) -> str:
    """The inspection request of the image: the value of INSPECT_ANNOTATION, otherwise that of its last inspection."""
    reference = image(spec, images).reference
    recorded = (each.request for each in inspected if each is not None and each.reference == reference)
    return live.metadata.annotation(INSPECT_ANNOTATION) or next(recorded, "")


def image(spec: FrappeBenchSpec, images: Images, request: str = "") -> Image:
    """The image that the spec declares: `imageConfig`, with `frappeVersion` as the default tag."""
    config = spec.image_config
    repository = (config.repository if config else None) or images.frappe
    if config and config.digest:
        reference = f"{repository}@{config.digest}"
    else:
        reference = f"{repository}:{(config.tag if config else None) or spec.frappe_version}"
    secrets = tuple(each.name for each in (config.pull_secrets if config else None) or [])
    return Image(reference, (config.pull_policy if config else None) or "IfNotPresent", secrets, request)


def trusted_proxies_problem(spec: FrappeBenchSpec) -> str:
    """A message about the first entry of `trustedProxies` that is not a network; empty when all are networks."""
    wrong = [each for each in spec.trusted_proxies or [] if not _network(each)]
    return f"trustedProxies: {wrong[0]!r} is not a network: must be a network such as 10.244.0.0/16" if wrong else ""


def _network(written: str) -> str:
    """A network in the spelling of nginx; empty for text that is not a network."""
    try:
        return str(ipaddress.ip_network(written, strict=False))
    except ValueError:
        return ""


def apps(spec: FrappeBenchSpec) -> tuple[str, ...]:
    """Names of the apps of the bench without duplicates, frappe first. Raises Blocked when the list is invalid."""
    return tuple(dict.fromkeys(["frappe", *(app.name for app in app_model.declared(spec))]))


class Turns(Struct, frozen=True):
    """The sites whose turn it is, from the recorded status of a bench."""

    upgrading: tuple[str, ...] = ()
    removing: tuple[str, ...] = ()
    """Those that remove apps."""


class _LastStatus(Struct, rename="camel"):
    """The part of the recorded status of a bench that is read again, or stands in for information that is lost."""

    installed_apps: tuple[str, ...] = ()
    image: Facts | None = None
    earlier_images: tuple[Facts, ...] = ()
    upgrade: Turns = Turns()
    secret_revisions: Revisions = NO_REVISIONS
    detected_address: DetectedAddress = NO_ADDRESS


def _apps(spec: FrappeBenchSpec, live: LiveBench) -> tuple[str, ...]:
    """Names of the apps of the bench; from the recorded status while the spec is invalid."""
    try:
        return apps(spec)
    except Blocked:
        return _last_status(live).installed_apps or ("frappe",)


def revisions(live: LiveBench) -> Revisions:
    """Revisions of the Secrets that the servers run with, from the recorded status."""
    return _last_status(live).secret_revisions


def detected_address(live: LiveBench) -> DetectedAddress:
    """The address of the load balancer that names the sites, from the recorded status."""
    return _last_status(live).detected_address


def _last_status(live: LiveBench) -> _LastStatus:
    try:
        return msgspec.json.decode(live.status_json, type=_LastStatus)
    except msgspec.MsgspecError:
        return _LastStatus()


class Inspected(NamedTuple):
    """The inspection results in the ConfigMap `<bench>-image`."""

    facts: Facts | None = None
    """Of the image that new sites run and existing ones upgrade to."""
    refused: Facts | None = None
    earlier: Mapping[str, Facts] = {}
    """Of earlier images that sites still run, by the key of the image."""
    pending: Facts | None = None
    """Of an image whose app layers are not built yet."""

    def image(self, image: Image) -> Facts | None:
        """The inspection result of an image, without app layers; None until it has been inspected."""
        found = (each.base for each in (self.facts, self.refused, self.pending) if each and each.describes(image))
        return next(found, None)

    @property
    def releases(self) -> dict[str, Facts]:
        """All images that sites may run, by key."""
        return {**self.earlier, **({self.facts.key: self.facts} if self.facts else {})}


def inspected(live: LiveBench, data: Mapping[str, Any]) -> Inspected:
    """Inspection results of the images of a bench, from the ConfigMap `<bench>-image` or, without it, the status."""
    if facts := facts_from(data):
        return Inspected(facts, facts_from(data, REFUSED), earlier_from(data), facts_from(data, INSPECTED))
    last, earlier = _last_status(live), {each.key: each for each in _last_status(live).earlier_images}
    return Inspected(last.image, facts_from(data, REFUSED), earlier, facts_from(data, INSPECTED))


def turns(live: LiveBench) -> Turns:
    """Names of the sites whose turn it is, from the recorded status."""
    return _last_status(live).upgrade
