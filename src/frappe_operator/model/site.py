"""A site as decided: every default chosen, every None gone."""

import re
from collections.abc import Callable

import msgspec
from msgspec import Struct

from frappe_operator.api.frappesite import FrappeSiteSpec
from frappe_operator.api.kinds import SITE, LiveBench, LiveSite
from frappe_operator.api.labels import SITE_LABEL
from frappe_operator.kube.live import Live
from frappe_operator.kube.names import GROUP, child, digest
from frappe_operator.kube.objects import Manifest
from frappe_operator.kube.reasons import Reason
from frappe_operator.kube.stage import Blocked
from frappe_operator.model import route
from frappe_operator.model.bench import RWO, BenchOffer, Names, Volume
from frappe_operator.model.bench import job_resources as bench_job_resources
from frappe_operator.model.database import (
    Connection,
    Database,
    built_in,
    database_of,
    external,
    is_mark,
    is_our_database,
    mark,
)
from frappe_operator.model.domain import Domain, readable_spec
from frappe_operator.model.image import Facts, Image
from frappe_operator.model.owner import Owner
from frappe_operator.model.route import Route
from frappe_operator.model.sizing import Size, replicas, resources, written

COMPONENTS = ("gunicorn", "socketio", "scheduler", "worker_default", "worker_long", "worker_short")
CONFIGURATION_ANNOTATION = f"{GROUP}/configuration"
"""On the Job that creates a site: `Site.configuration` as it was given to it."""
ORIGIN_LABEL = f"{GROUP}/origin"
"""On the claim for a site's files: `Site.origin`. It names the database should the connection Secret be lost."""
CONFIGURE_PART = "configure"
"""Component of the Jobs that bring a later one in; the fingerprint of what they bring follows it in their names."""
_CONFIGURE = re.compile(f"-{CONFIGURE_PART}-[0-9a-f]{{8}}$")


class SiteNames(Struct, frozen=True):
    """Names of a site's children."""

    site: str

    def part(self, part: str) -> str:
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
    def create(self) -> str:
        return child(self.site, "create")

    @property
    def database(self) -> str:
        return child(self.site, "database")

    def assets(self, image: str) -> str:
        """Of the Job that belongs to the image with this key."""
        return child(self.site, f"assets-{image}")

    def assets_meanwhile(self, image: str) -> str:
        """Of the one before it, while pods of an earlier image end."""
        return child(self.site, f"assets-{image}-meanwhile")

    @property
    def gunicorn(self) -> str:
        return child(self.site, "gunicorn")

    @property
    def socketio(self) -> str:
        return child(self.site, "socketio")

    @property
    def front_door(self) -> str:
        # Not "nginx": that ConfigMap is the bench's, and a bench and a site may have one name.
        return child(self.site, "front-door")


class Site(Struct, frozen=True):
    """A site as decided."""

    owner: Owner
    origin: str
    """Fingerprint of the FrappeSite that first had the data: its own, unless an earlier one left it behind."""
    site_name: str
    apps: tuple[str, ...]
    bench: Names
    image: Image
    facts: Facts
    domain: Domain
    database: Database
    bench_id: str
    """Prefix of the site's queues in the bench's Redis: `rq:queue:<bench_id>:<queue>`."""
    files: Volume
    sizes: dict[str, Size]
    front_door: Manifest
    """`resources` of nginx in the web pods."""
    layout: Manifest
    """`resources` of the init container of every pod."""
    jobs: Manifest
    """`resources` of the Jobs."""
    redis_revision: str
    """Of the Secret with the password of the bench's Redis, which every pod reads when it starts."""
    route: Route

    @property
    def names(self) -> SiteNames:
        return SiteNames(self.owner.name)

    @property
    def retained(self) -> bool:
        """Whether an earlier FrappeSite of this name left the data behind."""
        return self.origin != mark(self.owner.uid)

    @property
    def configuration(self) -> str:
        """Fingerprint of what the operator keeps current in the site's site_config.json."""
        return digest(f"{self.database.revision}\n{self.url}")

    @property
    def url(self) -> str:
        """Where visitors find the site. Frappe is told the same as `host_name`, and begins its links with it."""
        return f"http://{self.domain.host}"


CONNECTION_INDEX = "connection-secret"
"""Index over all FrappeSites: by the Secret of their own database."""


def by_connection_secret(live: LiveSite) -> list[str]:
    """Index value: the Secret as `namespace/name`, where there is one."""
    spec = readable_spec(live)
    ref = spec.db_config.connection_secret_ref if spec and spec.db_config else None
    return [f"{live.metadata.namespace}/{ref.name}"] if ref else []


INDICES: dict[str, Callable[[LiveSite], list[str]]] = {CONNECTION_INDEX: by_connection_secret}

CONFIGURE_INDEX = "configure"
"""Index over our Jobs: those that bring address and credentials into a site, by the site."""


def by_configured_site(live: Live) -> list[str]:
    """Index value: the site as `namespace/name`."""
    meta = live.metadata
    # The label that names the component is not kept in the cache.
    found = _CONFIGURE.search(meta.name)
    return [f"{meta.namespace}/{meta.label(SITE_LABEL)}"] if found else []


JOB_INDICES: dict[str, Callable[[Live], list[str]]] = {CONFIGURE_INDEX: by_configured_site}


def parse(live: LiveSite) -> FrappeSiteSpec:
    """The spec as asked. Raises Blocked when it is not one."""
    try:
        return msgspec.json.decode(live.spec, type=FrappeSiteSpec)
    except msgspec.MsgspecError as error:
        raise Blocked(Reason.INVALID_SPEC, f"spec: {error}") from error


def bench_namespace_problem(spec: FrappeSiteSpec, namespace: str) -> str:
    """What is wrong with benchRef.namespace for a site in `namespace`; empty when nothing is."""
    elsewhere = spec.bench_ref.namespace
    if elsewhere in (None, namespace):
        return ""
    return (
        f"benchRef.namespace is {elsewhere}, but a site and its bench must be in the same namespace: remove it, or "
        f"create the FrappeSite in {elsewhere}"
    )


def bench_id(name: str, uid: str, recorded: str | None) -> str:
    """Prefix of a site's queues, another one for each creation of a site: a job that an earlier site of the same name
    left in a queue is never executed by this one.

    `recorded`: what the claim for the site's files says, None while there is no claim. A claim that says nothing was
    made by an operator that used the site's name, and one that says what no site of this name was ever given does not
    count.
    """
    if recorded == "":
        return name
    if recorded is not None and is_our_bench_id(recorded, name):
        return recorded
    return child(name, digest(uid))


def is_our_bench_id(recorded: str, name: str) -> bool:
    """Whether `recorded` is one that a site of this name was given once."""
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
    known_database: str = "",
    live_mode: str = "",
) -> Site:
    """Decides everything about a site.

    `domain`: its host names, of which another site may hold some. `retained_database`, `origin`: what the connection
    Secret and the claim for files say of a site of this name. `recorded_bench_id`: what that claim says of its queues,
    None while there is no claim. `revision`: of our own connection Secret, once there is one. `connection`: the user's
    own database. `known_database`: the name in the last status. `live_mode`: access mode of the claim for its files,
    empty while there is none. The bench's image has been inspected. What is wrong with the spec or a Secret,
    site/checks.py says; here it has a value that keeps what exists as it is.
    """
    assert bench.running_image is not None, "site/checks.py: image_is_inspected"
    assert bench.facts is not None
    storage = spec.storage
    asked_sizes = [each for each in (spec.component_resources, bench.resources) if each is not None]

    def sized(component: str) -> Manifest:
        return resources(component, *(getattr(each, component) for each in asked_sizes))

    origin = _origin(live, retained_database, origin, known_database)
    return Site(
        owner=Owner.of(SITE, live, bench.name),
        origin=origin,
        site_name=spec.site_name,
        apps=tuple(app for app in apps(spec, bench) if app in bench.facts.apps),
        bench=bench.names,
        image=bench.running_image,
        facts=bench.facts,
        domain=domain,
        database=_database(live, bench, origin, revision, connection, known_database),
        bench_id=bench_id(live.metadata.name, live.metadata.uid, recorded_bench_id),
        files=Volume(
            written("storage.size", (storage.size if storage else None) or "5Gi"),
            storage.storage_class_name if storage else None,
            (storage.access_mode if storage else None) or live_mode or RWO,
            live_mode,
        ),
        sizes={
            component: Size(
                1 if component == "scheduler" else replicas(component, spec.component_replicas, bench.replicas),
                sized(component),
            )
            for component in COMPONENTS
        },
        front_door=sized("front_door"),
        layout=sized("layout"),
        jobs=sized("jobs"),
        redis_revision=bench.redis_revision,
        route=route.of_site(bench.route, spec.ingress_class_name),
    )


def apps(spec: FrappeSiteSpec, bench: BenchOffer) -> tuple[str, ...]:
    """The apps that are asked for, frappe first, each once."""
    return tuple(dict.fromkeys(["frappe", *(spec.apps if spec.apps is not None else bench.apps)]))


def job_resources(site: LiveSite, bench: LiveBench | None) -> Manifest:
    """`resources` of a Job that removes what a site has left. Specs that cannot be read ask for nothing."""
    bench_sizes = bench_job_resources(bench) if bench else None
    spec = readable_spec(site)
    site_sizes = spec.component_resources.jobs if spec and spec.component_resources else None
    try:
        return resources("jobs", site_sizes, bench_sizes)
    except Blocked:
        return resources("jobs")


def _origin(live: LiveSite, retained: str, origin: str, known: str) -> str:
    """Whose the data was first. The Secret is believed before the claim, for it opens the database; then the status."""
    meta = live.metadata
    for database in (retained, database_of(meta.namespace, meta.name, origin), known):
        if is_our_database(database, meta.namespace, meta.name):
            return database.rpartition("_")[2]
    return mark(meta.uid)


def _database(
    live: LiveSite, bench: BenchOffer, origin: str, revision: str, connection: Connection | None, known: str
) -> Database:
    if connection is not None:
        return external(connection, known)
    meta = live.metadata
    return built_in(bench.names, SiteNames(meta.name).connection, meta.namespace, meta.name, origin, revision)
