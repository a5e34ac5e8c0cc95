"""FrappeBench: the infrastructure its sites share."""

from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from frappe_operator.api.types import (
    DIGEST,
    LABEL,
    MEMORY,
    NO_ADDRESS,
    TAG,
    AppName,
    Asked,
    ComponentReplicas,
    ComponentResources,
    Count,
    ImageName,
    LocalReference,
    Network,
    ObjectName,
    Repository,
    Resources,
    Rule,
    StorageSize,
    Tag,
    memory,
    said,
    validations,
)

APPS_JSON = 'a JSON list of app names, such as ["erpnext", "hrms"], or of objects with a "name"'
SOURCES = ("branch", "url", "gitUrl", "gitBranch", "version", "repo", "repository", "ref", "tag", "commit")
"""Fields with which apps are described elsewhere. They say where an app comes from, and here it is in the image."""
NO_SOURCES = "apps come from the image: remove branch, url and the like, and build an image that holds the apps"


def _apps_json() -> Meta:
    def spaced(*words: str) -> str:
        return r"[ \t\r\n]*".join(words)

    name, source = '"[a-z][a-z0-9_]{0,63}"', spaced('"source"', ":", '"image"')
    named = spaced(r"\{(", source, ",)?", '"name"', ":", name, "(,", source, r")?\}")
    app = f"({name}|{named})"
    apps = spaced("^", r"\[", f"({app}", spaced("(", ",", f"{app})*"), r")?\]", "$")
    sources = spaced(f'"({"|".join(SOURCES)})"', ":")
    rules = (
        Rule(f"self.matches(r'{sources}') || self.matches(r'{apps}')", f"write {APPS_JSON}"),
        Rule(f"!self.matches(r'{sources}')", NO_SOURCES),
    )
    return Meta(max_length=16384, extra_json_schema=validations(*rules))


Version = said(
    rf"^{TAG}$",
    "write the tag of an image, such as version-15 or v15.51.1",
    128,
    Rule(
        r"!self.matches(r'^(version-|v)?([0-9]|1[0-4])([.-].*)?$')",
        "Frappe before 15 is too old: use an image with Frappe 15 or newer",
    ),
)


class App(Asked):
    """An app that the sites of the bench may use."""

    name: Annotated[AppName, Meta(description="The app's Python package.", examples=["erpnext"])]
    source: Annotated[
        Literal["image"] | None,
        Meta(description="Where the app comes from. Default `image`: the bench's image."),
    ] = None


class ImageConfig(Asked):
    """Which image the Frappe pods run."""

    repository: Annotated[
        Repository | None,
        Meta(description="Image without tag. Default `frappe/erpnext`.", examples=["registry.example.com/erp"]),
    ] = None
    tag: Annotated[
        Annotated[str, Tag] | None,
        Meta(
            description="Tag. Default: frappeVersion. Pods run what it named when it was inspected; another value of "
            "the bench's annotation vyogo.tech/inspect-image has it inspected again.",
            examples=["v15.51.1"],
        ),
    ] = None
    digest: Annotated[
        Annotated[str, said(rf"^{DIGEST}$", "write sha256: and 64 hexadecimal digits", 71)] | None,
        Meta(description="Digest; wins over the tag."),
    ] = None
    pull_policy: Annotated[
        Literal["Always", "IfNotPresent", "Never"] | None, Meta(description="Default IfNotPresent.")
    ] = None
    pull_secrets: Annotated[
        Annotated[
            list[LocalReference],
            Meta(
                max_length=16,
                extra_json_schema={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]},
            ),
        ]
        | None,
        Meta(description="Secrets of the namespace that log in to the registry; every pod and Job gets them."),
    ] = None


class BenchReplicas(ComponentReplicas):
    """Pods a component: nginx of the bench itself; the others are defaults for its sites."""

    nginx: Annotated[Count | None, Meta(description="Proxies of the bench. Default 1.")] = None


class BenchResources(ComponentResources):
    """Requests and limits a component: nginx and redis of the bench itself; the others are defaults for its sites."""

    nginx: Annotated[Resources | None, Meta(description="Proxy.")] = None
    redis: Annotated[
        Resources | None,
        Meta(description="Each of the two Redis servers; the default of its memory limit grows with maxMemory."),
    ] = None


MEMORY_IS = "write an amount of memory with its unit, such as 512Mi or 4gb"


class RedisConfig(Asked):
    """The bench's cache and queue."""

    image: Annotated[ImageName | None, Meta(description="Image of the server. Default: the operator's setting.")] = None
    max_memory: Annotated[
        Annotated[
            str,
            said(
                MEMORY,
                MEMORY_IS,
                16,
                Rule(
                    f"!self.matches(r'{MEMORY}') || ({memory('self')}.compareTo(quantity('1Mi')) >= 0 && "
                    f"{memory('self')}.compareTo(quantity('1Pi')) <= 0)",
                    "a cache holds at least 1Mi and at most 1024Ti: write its memory with a unit, such as 512Mi or 4gb",
                ),
            ),
        ]
        | None,
        Meta(
            description=(
                "Memory limit of the cache, as Kubernetes or Redis writes it, at most nine tenths of "
                "componentResources.redis.limits.memory. Default 256Mi, or three quarters of a smaller limit."
            ),
            examples=["512Mi", "4gb"],
        ),
    ] = None
    storage_size: Annotated[
        StorageSize | None, Meta(description="Volume of the queue. Default 1Gi. May grow, not shrink.")
    ] = None
    storage_class_name: Annotated[
        ObjectName | None, Meta(description="StorageClass of the queue's volume. Default: the cluster's.")
    ] = None


class BenchStorage(Asked):
    """The common storage: published assets."""

    size: Annotated[StorageSize | None, Meta(description="Default 10Gi. May grow, not shrink.")] = None
    storage_class_name: Annotated[ObjectName | None, Meta(description="Default: the cluster's default class.")] = None
    access_mode: Annotated[
        Literal["Auto", "ReadWriteMany", "ReadWriteOnce"] | None,
        Meta(
            description=(
                "Auto (default): ReadWriteMany where the class is known to do it or says so by the annotation "
                "vyogo.tech/access-modes, else ReadWriteOnce with the bench's pods on one node."
            )
        ),
    ] = None


class DomainConfig(Asked):
    """How sites without a `domain` get one."""

    suffix: Annotated[
        Annotated[
            str,
            said(
                rf"^(\.{LABEL})+$",
                "write a dot and a domain in lower case, such as .platform.example.com",
                200,
                NO_ADDRESS,
            ),
        ]
        | None,
        Meta(description="Added to siteName. Starts with a dot.", examples=[".platform.example.com"]),
    ] = None


class DatabaseConfig(Asked):
    """The bench's own MariaDB, made when a site first uses it."""

    image: Annotated[ImageName | None, Meta(description="Image of the server. Default: the operator's setting.")] = None
    storage_size: Annotated[StorageSize | None, Meta(description="Default 10Gi. May grow, not shrink.")] = None
    storage_class_name: Annotated[ObjectName | None, Meta(description="Default: the cluster's default class.")] = None
    resources: Annotated[Resources | None, Meta(description="Requests and limits of the server.")] = None


class BenchIngress(Asked):
    """How the sites are reached from outside."""

    rules = (
        Rule(
            "!has(self.className) || !has(self.type) || self.type == 'Ingress'",
            "className is of the Ingresses, and type: None has none: remove one of the two",
        ),
    )

    type: Annotated[
        Literal["Ingress", "None"] | None,
        Meta(description="Ingress (default), or None: you route to the Service `<bench>-nginx` yourself."),
    ] = None
    class_name: Annotated[ObjectName | None, Meta(description="IngressClass. Default: the cluster's.")] = None


LIMIT = "self.componentResources.redis.limits['memory']"
REDIS_LIMIT = (
    "has(self.redisConfig) && has(self.redisConfig.maxMemory) && has(self.componentResources) && "
    "has(self.componentResources.redis) && has(self.componentResources.redis.limits) && "
    f"'memory' in self.componentResources.redis.limits && isQuantity(string({LIMIT})) && "
    f"quantity(string({LIMIT})).compareTo(quantity('0')) > 0"
)
MEMORY_LIMIT_IS = (
    "redisConfig.maxMemory is more than nine tenths of componentResources.redis.limits.memory, so that Redis is killed "
    "before it makes room: lower the one or raise the other"
)
BEFORE_THE_LIMIT = (
    f"{memory('self.redisConfig.maxMemory')}.asApproximateFloat() * 10.0 <= "
    f"quantity(string({LIMIT})).asApproximateFloat() * 9.0"
)


class FrappeBenchSpec(Asked):
    """What the bench shall be."""

    rules = (
        Rule(
            "!(has(self.apps) && has(self.appsJSON))",
            "apps and appsJSON say the same thing in two ways: keep one and remove the other",
        ),
        Rule(
            f"!({REDIS_LIMIT}) || !self.redisConfig.maxMemory.matches(r'{MEMORY}') || {BEFORE_THE_LIMIT}",
            MEMORY_LIMIT_IS,
        ),
    )

    frappe_version: Annotated[
        Annotated[str, Version],
        Meta(
            description="Frappe's version: the image's tag unless imageConfig says otherwise. 15 or newer.",
            examples=["version-15", "v15.51.1"],
        ),
    ]
    apps_json: Annotated[
        Annotated[str, _apps_json()] | None,
        Meta(
            description="Apps as a JSON list of names, or of objects with a `name`. They must be in the image.",
            examples=['["erpnext", "hrms"]'],
        ),
    ] = field(default=None, name="appsJSON")
    apps: Annotated[
        Annotated[
            list[App],
            Meta(
                max_length=64,
                extra_json_schema={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]},
            ),
        ]
        | None,
        Meta(description="Apps, in the order they are installed. They must be in the image."),
    ] = None
    image_config: Annotated[ImageConfig | None, Meta(description="Image of all Frappe pods.")] = None
    component_replicas: Annotated[BenchReplicas | None, Meta(description="Pods a component.")] = None
    component_resources: Annotated[BenchResources | None, Meta(description="Requests and limits a component.")] = None
    redis_config: Annotated[RedisConfig | None, Meta(description="Cache and queue.")] = None
    storage: Annotated[BenchStorage | None, Meta(description="Common storage.")] = None
    domain_config: Annotated[DomainConfig | None, Meta(description="Domains of the sites.")] = None
    database_config: Annotated[DatabaseConfig | None, Meta(description="The bench's own MariaDB.")] = None
    ingress: Annotated[BenchIngress | None, Meta(description="Way in from outside.")] = None
    trusted_proxies: Annotated[
        Annotated[list[Network], Meta(max_length=32)] | None,
        Meta(
            description=(
                "Networks of the proxies before the bench's own: of the ingress controller's pods, and of a load "
                "balancer before it. Their `X-Forwarded-For` and `X-Forwarded-Proto` are believed, and nobody else's. "
                "Default: none; a visitor's address is then that of whoever connects to the bench's proxy, and "
                "`X-Forwarded-Proto` is believed."
            ),
            examples=[["10.244.0.0/16", "fd00:10:244::/56"]],
        ),
    ] = None


class ImageStatus(Asked):
    """What the bench's image was found to hold."""

    reference: Annotated[str | None, Meta(description="The image that was inspected.")] = None
    digest: Annotated[
        str | None,
        Meta(
            description="Its digest, which every pod runs until another image is named, or the annotation "
            "vyogo.tech/inspect-image of the bench gets another value. Absent when the node did not tell it."
        ),
    ] = None
    frappe_version: Annotated[str | None, Meta(description="Frappe's version in it.")] = None
    python: Annotated[str | None, Meta(description="Python's version in it.")] = None
    apps: Annotated[dict[str, str] | None, Meta(description="Apps in it, with their versions.")] = None


class SecretRevisionsStatus(Asked):
    """Fingerprints of the Secrets that servers read at their start."""

    redis: Annotated[str | None, Meta(description="Of <bench>-redis, as Redis and the sites' pods run with it.")] = None
    mariadb: Annotated[str | None, Meta(description="Of <bench>-mariadb-root, as MariaDB runs with it.")] = None


class FrappeBenchStatus(Asked):
    """What the bench is."""

    image: Annotated[ImageStatus | None, Meta(description="What the image holds.")] = None
    sites: Annotated[int | None, Meta(description="Number of FrappeSites on the bench.")] = None
    installed_apps: Annotated[list[str] | None, Meta(description="Apps that sites may use.")] = None
    secret_revisions: Annotated[
        SecretRevisionsStatus | None,
        Meta(
            description="Which revisions of its generated Secrets the bench runs with: fingerprints of their UID and "
            "version, of nothing that is in them."
        ),
    ] = None


class FrappeBench(Struct, rename="camel"):
    """Infrastructure that Frappe sites share: proxy, cache, queue, storage, and a MariaDB where sites use it."""

    spec: FrappeBenchSpec
    status: FrappeBenchStatus | None = None
