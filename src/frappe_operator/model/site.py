"""The desired state of a site, with every default applied."""

import re
from collections.abc import Callable, Collection, Mapping

import msgspec
from msgspec import Struct

from frappe_operator.api.frappesite import FrappeSiteSpec
from frappe_operator.api.kinds import SITE, LiveBench, LiveSite, readable_spec
from frappe_operator.api.labels import SITE_LABEL
from frappe_operator.kube.live import Live
from frappe_operator.kube.names import GROUP, child, digest
from frappe_operator.kube.objects import Manifest
from frappe_operator.kube.reasons import Reason
from frappe_operator.kube.stage import Blocked
from frappe_operator.model import route, tls
from frappe_operator.model.bench import RWO, STATEFUL_NAME_LIMIT, BenchOffer, Names, Volume
from frappe_operator.model.bench import job_resources as bench_job_resources
from frappe_operator.model.database import (
    DEDICATED,
    Connection,
    Database,
    built_in,
    database_of,
    dedicated,
    engine,
    external,
    is_mark,
    is_our_database,
    mark,
    server,
)
from frappe_operator.model.domain import Domain
from frappe_operator.model.gunicorn import WebServer, web_server
from frappe_operator.model.image import Facts, Image
from frappe_operator.model.layer import Layer, layer_keys
from frappe_operator.model.own_address import OwnAddress, own_address
from frappe_operator.model.owner import Owner
from frappe_operator.model.proxy import DEFAULT, Limits, limits
from frappe_operator.model.route import Route
from frappe_operator.model.scaling import NOTHING_LIVE, LiveScale, Scale, autoscaler, scale
from frappe_operator.model.sizing import Size, quantity, replicas, resources, size
from frappe_operator.model.tls import Tls, own_secret, site_of_own_secret
from frappe_operator.model.upgrade import Mark, Plan, Upgrade
from frappe_operator.model.upgrade_policy import UpgradePolicy

COMPONENTS = ("gunicorn", "socketio", "scheduler", "worker_default", "worker_long", "worker_short")
SCALED = ("gunicorn", "socketio")
"""The components that may have an autoscaler."""
BACKGROUND = ("scheduler", "worker-default", "worker-long", "worker-short")
"""The components that work in the background, as in names and labels."""
CONFIGURATION_ANNOTATION = f"{GROUP}/configuration"
"""Annotation of the Job that creates a site: `Site.configuration` at that time."""
ORIGIN_LABEL = f"{GROUP}/origin"
"""Label of the claim for the files of a site: `Site.origin`. It identifies the database if the connection Secret is
lost."""
CONFIGURE_PART = "configure"
"""Component of the Jobs that apply a changed `Site.configuration`. Their names end with it and the fingerprint."""
_CONFIGURE = re.compile(f"-{CONFIGURE_PART}-[0-9a-f]{{8}}$")


class SiteNames(Struct, frozen=True):
    """Names of the children of a site."""

    site: str

    def part(self, part: str) -> str:
        """Name of the child for the component `part`."""
        return child(self.site, part)

    @property
    def files(self) -> str:
        return child(self.site, "files")

    @property
    def admin(self) -> str:
        return child(self.site, "admin")

    @property
    def connection(self) -> str:
        return child(self.site, "db-connection")

    @property
    def server(self) -> str:
        """The MariaDB of the site alone. Not "mariadb": that is the bench's, and a bench and a site may have one
        name."""
        return child(self.site, "db", STATEFUL_NAME_LIMIT)

    @property
    def server_root(self) -> str:
        """The Secret with the password of root of that MariaDB."""
        return child(self.site, "db-root")

    @property
    def server_claim(self) -> str:
        """The claim of that MariaDB, which its StatefulSet creates."""
        return f"data-{self.server}-0"

    @property
    def create(self) -> str:
        return child(self.site, "create")

    @property
    def database(self) -> str:
        return child(self.site, "database")

    def apps(self, apps: tuple[str, ...]) -> str:
        """Name of the Job that installs these apps."""
        return self.part(f"apps-{digest(','.join(apps))}")

    def upgrade(self, attempt: str) -> str:
        """Name of the Job that migrates the data of the site."""
        return self.part(f"upgrade-{attempt}")

    def assets(self, image: str) -> str:
        """Name of the Job that removes cached asset names for the image with this key."""
        return child(self.site, f"assets-{image}")

    @property
    def gunicorn(self) -> str:
        return child(self.site, "gunicorn")

    @property
    def socketio(self) -> str:
        return child(self.site, "socketio")

    @property
    def socketio_replicas(self) -> str:
        return child(self.site, "socketio-replicas")

    @property
    def front_door(self) -> str:
        # Not "nginx": that ConfigMap is the bench's, and a bench and a site may have one name.
        return child(self.site, "front-door")


class Site(Struct, frozen=True):
    """The desired state of a site, with every default applied."""

    owner: Owner
    origin: str
    """Fingerprint of the FrappeSite that created the data: this one, or an earlier one whose data was retained."""
    site_name: str
    apps: tuple[str, ...]
    bench: Names
    image: Image
    facts: Facts
    """Inspection result of the image that the site runs, with which its data was last migrated."""
    mark: Mark
    """The record of that on the claim for files."""
    upgrade: Upgrade | None
    """The upgrade that is under way, up to the migration of the data; None otherwise."""
    upgrade_failed: bool
    """Whether the last attempt to upgrade to the image of the bench failed, and nothing has changed since."""
    removal_failed: bool
    """Whether the last attempt to remove apps failed, and nothing has changed since."""
    created_with_apps: bool
    """Whether the site was created with all of `apps`, so that no Job has to install any."""
    target_facts: Facts
    """The release of the bench, or the one to which the site is being upgraded."""
    target: Image
    """The image of the bench, or of the upgrade that is under way."""
    policy: UpgradePolicy
    domain: Domain
    database: Database
    bench_id: str
    """Prefix of the queues of the site in the Redis of the bench: `rq:queue:<bench_id>:<queue>`."""
    files: Volume
    sizes: dict[str, Size]
    """Replicas and resources of each of `COMPONENTS`."""
    front_door: Manifest
    """The field `resources` of nginx in the web pods."""
    layout: Manifest
    """The field `resources` of the init container of every pod."""
    jobs: Manifest
    """The field `resources` of the Jobs."""
    redis_revision: str
    """Revision of the Secret with the password of Redis, which every pod reads when it starts."""
    route: Route
    tls: Tls | None = None
    """TLS of the hosts; None when the site is reached over http."""
    listener_port: int = 0
    """Port of the site's own listeners at its Gateway, which present its certificate; 0 when the Gateway's do."""
    limits: Limits = DEFAULT
    """Limits of requests."""
    own: OwnAddress = OwnAddress()
    """How the pods reach the site at its public address."""
    common_on_one_node: bool = False
    """Whether all pods that mount the common storage, where the layers are, must run on one node."""
    web_server: WebServer = WebServer()
    live_scales: Mapping[str, LiveScale] = {}
    """What exists of the components that may have an autoscaler."""

    @property
    def names(self) -> SiteNames:
        return SiteNames(self.owner.name)

    def scale(self, component: str) -> Scale:
        """What is applied to the Deployment of one of `COMPONENTS` of its number of replicas: the declared number, zero
        while an upgrade stops the component, or none where an autoscaler decides."""
        stopped = self.upgrade is not None and (self.upgrade.stops_web or component.replace("_", "-") in BACKGROUND)
        size, live = self.sizes[component], self.live_scales.get(component, NOTHING_LIVE)
        return scale(size.replicas, size.autoscaler, live, stopped=stopped)

    @property
    def has_realtime_replicas(self) -> bool:
        """Whether there may be several realtime servers, so that the sessions of clients are at one of them."""
        return self.sizes["socketio"].most > 1

    @property
    def layers(self) -> tuple[Layer, ...]:
        """The app layers that the pods mount."""
        return self.facts.layers

    @property
    def assets_key(self) -> str:
        """Fingerprint of the built assets that the pods have."""
        return assets_key(self.image, self.layers)

    @property
    def retained(self) -> bool:
        """Whether the data was retained from an earlier FrappeSite of this name."""
        return self.origin != mark(self.owner.uid)

    @property
    def configuration(self) -> str:
        """Fingerprint of the values that the operator maintains in site_config.json."""
        return configuration(self.database.revision, self.url, self.limits.body_bytes, self.database.tls)

    @property
    def url(self) -> str:
        """Address of the site for visitors. Frappe has it as `host_name` and begins its links with it."""
        return f"{'https' if self.tls else 'http'}://{self.domain.host}"


def assets_key(image: Image, layers: tuple[Layer, ...]) -> str:
    """Fingerprint of the built assets of an image and app layers: that of the image without layers."""
    return digest(f"{image.key}\n{layer_keys(layers)}", 12) if layers else image.key


def configuration(revision: str, url: str, body_bytes: int, database_tls: str = "") -> str:
    """Fingerprint of the values that the operator maintains in site_config.json: the connection Secret by its revision,
    the address, the size of uploads, and what the spec says of TLS to the database."""
    values = [revision, url, str(body_bytes), *([database_tls] if database_tls else [])]
    return digest("\n".join(values))


SECRET_INDEX = "secret"
"""Index over all FrappeSites: by the Secrets of users and of cert-manager that the site uses, unless the name of the
Secret tells the site: an entry for every site would be memory for nothing."""


def by_secret(live: LiveSite) -> list[str]:
    """Index values, each as `namespace/name`: the connection Secret of an external database, and the Secret of the
    certificate that the site names, or that cert-manager writes for it under a shortened name."""
    spec = readable_spec(live)
    if spec is None:
        return []
    ref = spec.db_config.connection_secret_ref if spec.db_config else None
    declared = spec.tls.secret_name if spec.tls else None
    own = own_secret(live.metadata.name)
    shortened = own if site_of_own_secret(own) != live.metadata.name else None
    names = (ref.name if ref else None, declared or shortened)
    return [f"{live.metadata.namespace}/{name}" for name in names if name]


INDICES: dict[str, Callable[[LiveSite], list[str]]] = {SECRET_INDEX: by_secret, **route.INDICES}

CONFIGURE_INDEX = "configure"
"""Index over the operator's Jobs: those that apply address and credentials to a site, by the site."""


def by_configured_site(live: Live) -> list[str]:
    """Index value: the site as `namespace/name`; none for another Job."""
    meta = live.metadata
    # The component label is not cached.
    found = _CONFIGURE.search(meta.name)
    return [f"{meta.namespace}/{meta.label(SITE_LABEL)}"] if found else []


JOB_INDICES: dict[str, Callable[[Live], list[str]]] = {CONFIGURE_INDEX: by_configured_site}


def parse(live: LiveSite) -> FrappeSiteSpec:
    """The decoded spec of a site. Raises Blocked when it does not match the schema."""
    try:
        return msgspec.json.decode(live.spec, type=FrappeSiteSpec)
    except msgspec.MsgspecError as error:
        raise Blocked(Reason.INVALID_SPEC, f"spec: {error}") from error


def bench_namespace_problem(spec: FrappeSiteSpec, namespace: str) -> str:
    """A message when `benchRef.namespace` differs from `namespace`, that of the site; empty otherwise."""
    bench_namespace = spec.bench_ref.namespace
    if bench_namespace in (None, namespace):
        return ""
    return (
        f"benchRef.namespace is {bench_namespace}, but a site and its bench must be in the same namespace: remove it, "
        f"or create the FrappeSite in {bench_namespace}"
    )


def bench_id(name: str, uid: str, recorded: str | None) -> str:
    """Prefix of the queues of a site. Every FrappeSite has a new one, so that it never executes jobs that an earlier
    site of the same name left in a queue.

    `recorded`: the prefix in the label of the claim for files; None while there is no claim. It is empty on claims of
    an earlier operator, which used the name of the site, and ignored when it does not belong to a site of this name.
    """
    if recorded == "":
        return name
    if recorded is not None and is_our_bench_id(recorded, name):
        return recorded
    return child(name, digest(uid))


def is_our_bench_id(recorded: str, name: str) -> bool:
    """Whether `recorded` is a queue prefix that the operator generates for a site of this name."""
    end = recorded[-8:]
    return recorded == name or (is_mark(end) and recorded == child(name, end))


def resolve(
    live: LiveSite,
    spec: FrappeSiteSpec,
    bench: BenchOffer,
    *,
    domain: Domain,
    retained_database: str = "",
    origin: str = "",
    revision: str = "",
    recorded_bench_id: str | None = None,
    connection: Connection | None = None,
    recorded_database: str = "",
    server_kind: str | None = None,
    server_revision: str = "",
    live_mode: str = "",
    plan: Plan | None = None,
    live_scales: Mapping[str, LiveScale] | None = None,
    taken_hosts: Collection[str] = (),
    service_ip: str = "",
    authority: str = "",
    created_with_apps: bool = False,
    listener_port: int = 0,
) -> Site:
    """The desired state of a site, with every default applied.

    `domain`: its host names, some of which another site may own. `retained_database`: name of the database by the
    label of the generated connection Secret. `origin`, `recorded_bench_id`: labels of the claim for files;
    `recorded_bench_id` is None while there is no claim. `revision`: of the generated connection Secret, empty while it
    does not exist. `connection`: the external database. `recorded_database`: name of the database in the status.
    `server_kind`: the recorded kind of the server that the site has alone. `server_revision`: of the Secret with the
    password of its root. `live_mode`: access mode of the claim for files, empty while there is no claim.

    `plan`: the release that the site runs, and its upgrade; by default the release of the bench. `live_scales`: what
    exists of the components that may have an autoscaler. `taken_hosts`: host names that another site owns.
    `service_ip`: address of the Service of the web pods, empty while there is none. `authority`: fingerprint of the
    certificate authority in the Secret of the certificate. `created_with_apps`: whether the site was created with all
    apps of its list. `listener_port`: of the site's own listeners at its Gateway, 0 for none.

    The image of the bench has been inspected. site/checks.py reports an invalid spec or Secret; this function gives it
    a value that leaves existing children unchanged.
    """
    assert bench.target is not None, "site/checks.py: image_is_inspected"
    plan = plan or Plan(bench.target, Mark(bench.target.key))
    facts = plan.facts
    storage = spec.storage
    declared_sizes = [each for each in (spec.component_resources, bench.resources) if each is not None]

    def sized(component: str) -> Manifest:
        return resources(component, *(getattr(each, component) for each in declared_sizes))

    origin = _origin(live, retained_database, origin, recorded_database)
    own_tls = tls.of_site(bench.tls, spec.tls, live.metadata.name)
    return Site(
        owner=Owner.of(SITE, live, bench.name),
        origin=origin,
        site_name=spec.site_name,
        apps=present_apps(spec, bench, facts),
        bench=bench.names,
        image=bench.image(facts),
        facts=facts,
        mark=plan.mark,
        upgrade=plan.upgrade,
        upgrade_failed=plan.failed,
        removal_failed=plan.removal_failed,
        created_with_apps=created_with_apps,
        target=bench.image(plan.upgrade.target if plan.upgrade else bench.target),
        target_facts=plan.upgrade.target if plan.upgrade else bench.target,
        policy=bench.upgrade,
        domain=domain,
        database=_database(
            live, spec, bench, origin, revision, connection, recorded_database, server_kind, server_revision
        ),
        bench_id=bench_id(live.metadata.name, live.metadata.uid, recorded_bench_id),
        files=Volume(
            quantity("storage.size", (storage.size if storage else None) or "5Gi"),
            storage.storage_class_name if storage else None,
            (storage.access_mode if storage else None) or live_mode or RWO,
            live_mode,
        ),
        sizes={
            component: size(
                1 if component == "scheduler" else replicas(component, spec.component_replicas, bench.replicas),
                sized(component),
                autoscaler(component, spec.component_hpa, bench.autoscaling),
            )
            for component in COMPONENTS
        },
        front_door=sized("front_door"),
        layout=sized("layout"),
        jobs=sized("jobs"),
        redis_revision=bench.redis_revision,
        route=route.of_site(bench.ingress, spec.ingress, spec.ingress_class_name, live.metadata.namespace),
        tls=own_tls,
        own=own_address(domain, taken_hosts, own_tls, service_ip, authority),
        listener_port=listener_port,
        limits=limits(spec.proxy, bench.proxy),
        common_on_one_node=bench.common_on_one_node,
        web_server=web_server(spec.gunicorn, bench.gunicorn),
        live_scales=live_scales or {},
    )


def apps(spec: FrappeSiteSpec, bench: BenchOffer) -> tuple[str, ...]:
    """Names of the declared apps without duplicates, frappe first: those of the site, otherwise of its bench."""
    return tuple(dict.fromkeys(["frappe", *(spec.apps if spec.apps is not None else bench.apps)]))


def present_apps(spec: FrappeSiteSpec, bench: BenchOffer, facts: Facts) -> tuple[str, ...]:
    """The declared apps that a release contains."""
    return tuple(app for app in apps(spec, bench) if app in facts.apps)


def job_resources(site: LiveSite, bench: LiveBench | None) -> Manifest:
    """The field `resources` of a Job that removes data of a deleted site. Invalid specs are ignored."""
    bench_sizes = bench_job_resources(bench) if bench else None
    spec = readable_spec(site)
    site_sizes = spec.component_resources.jobs if spec and spec.component_resources else None
    try:
        return resources("jobs", site_sizes, bench_sizes)
    except Blocked:
        return resources("jobs")


def _origin(live: LiveSite, retained: str, origin: str, recorded: str) -> str:
    """Fingerprint of the FrappeSite that created the data: from the connection Secret, which opens the database,
    otherwise from the claim, otherwise from the status, otherwise of this FrappeSite."""
    meta = live.metadata
    for database in (retained, database_of(meta.namespace, meta.name, origin), recorded):
        if is_our_database(database, meta.namespace, meta.name):
            return database.rpartition("_")[2]
    return mark(meta.uid)


def _database(
    live: LiveSite,
    spec: FrappeSiteSpec,
    bench: BenchOffer,
    origin: str,
    revision: str,
    connection: Connection | None,
    recorded: str,
    server_kind: str | None,
    server_revision: str,
) -> Database:
    meta, names = live.metadata, SiteNames(live.metadata.name)
    if connection is not None:
        found = external(connection, recorded, (spec.db_config.tls if spec.db_config else None) or "")
    elif spec.db_config and engine(spec, server_kind) == DEDICATED:
        mariadb = server(spec.db_config, names.server, names.server_root, bench.mariadb_image, server_revision)
        return dedicated(mariadb, names.connection, meta.namespace, meta.name, origin, revision, server_kind)
    else:
        found = built_in(bench.names, names.connection, meta.namespace, meta.name, origin, revision)
    # What is recorded stays, so that the difference is reported until the data is gone.
    return msgspec.structs.replace(found, server_kind=server_kind or "")
