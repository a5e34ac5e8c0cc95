"""FrappeBench: the infrastructure its sites share."""

from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from frappe_operator.api.apps import App, GitConfig, apps_json_schema
from frappe_operator.api.frappebench_status import FrappeBenchStatus
from frappe_operator.api.ingress import BenchIngress
from frappe_operator.api.proxy import Proxy
from frappe_operator.api.scaling import BenchHPA, Gunicorn
from frappe_operator.api.tls import BenchTls
from frappe_operator.api.types import (
    DIGEST,
    DNS_NAME,
    IN_ASCII,
    LABEL,
    MEMORY,
    NOT_AN_ADDRESS,
    TAG,
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
    Section,
    StorageSize,
    Tag,
    matching,
    memory,
)
from frappe_operator.api.upgrade import Upgrade

Version = matching(
    rf"^{TAG}$",
    "must be an image tag, such as version-15 or v15.51.1",
    128,
    Rule(
        r"!self.matches(r'^(version-|v)?([0-9]|1[0-4])([.-].*)?$')",
        "Frappe versions before 15 are not supported: use an image with Frappe 15 or newer",
    ),
)


class ImageConfig(Section):
    """Image of the Frappe pods."""

    repository: Annotated[
        Repository | None,
        Meta(description="Image name without tag. Default `frappe/erpnext`.", examples=["registry.example.com/erp"]),
    ] = None
    tag: Annotated[
        Annotated[str, Tag] | None,
        Meta(
            description="Image tag. Default: frappeVersion. Pods run the digest that the tag had when the image was "
            "inspected. To inspect it again, change the value of the annotation vyogo.tech/inspect-image of the bench.",
            examples=["v15.51.1"],
        ),
    ] = None
    digest: Annotated[
        Annotated[str, matching(rf"^{DIGEST}$", "must be sha256: followed by 64 hexadecimal digits", 71)] | None,
        Meta(description="Image digest. Takes precedence over the tag."),
    ] = None
    pull_policy: Annotated[
        Literal["Always", "IfNotPresent", "Never"] | None,
        Meta(description="Image pull policy. Default IfNotPresent."),
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
        Meta(description="Secrets of the same namespace with registry credentials, used by every pod and Job."),
    ] = None


class BenchReplicas(ComponentReplicas):
    """Replicas per component. nginx belongs to the bench; the other values are defaults for its sites."""

    nginx: Annotated[Count | None, Meta(description="Proxy replicas of the bench. Default 1.")] = None


class BenchResources(ComponentResources):
    """Resource requests and limits per component. nginx and redis belong to the bench; the others are site defaults."""

    nginx: Annotated[Resources | None, Meta(description="Proxy.")] = None
    redis: Annotated[
        Resources | None,
        Meta(description="Each of the two Redis servers. The default memory limit grows with maxMemory."),
    ] = None


MEMORY_MESSAGE = "must be an amount of memory with a unit, such as 512Mi or 4gb"


class RedisConfig(Section):
    """Cache and queue of the bench."""

    image: Annotated[ImageName | None, Meta(description="Image of the server. Default: set by the operator.")] = None
    max_memory: Annotated[
        Annotated[
            str,
            matching(
                MEMORY,
                MEMORY_MESSAGE,
                16,
                Rule(
                    f"!self.matches(r'{MEMORY}') || ({memory('self')}.compareTo(quantity('1Mi')) >= 0 && "
                    f"{memory('self')}.compareTo(quantity('1Pi')) <= 0)",
                    "must be between 1Mi and 1024Ti: write the amount with a unit, such as 512Mi or 4gb",
                ),
            ),
        ]
        | None,
        Meta(
            description=(
                "Maximum memory of the cache, as a Kubernetes quantity or in Redis notation; at most 90% of "
                "componentResources.redis.limits.memory. Default 256Mi, or three quarters of a smaller limit."
            ),
            examples=["512Mi", "4gb"],
        ),
    ] = None
    storage_size: Annotated[
        StorageSize | None,
        Meta(description="Size of the queue's volume. Default 1Gi. Can be increased, not decreased."),
    ] = None
    storage_class_name: Annotated[
        ObjectName | None,
        Meta(description="StorageClass of the queue's volume. Default: the default class of the cluster."),
    ] = None


class BenchStorage(Section):
    """Common storage of the bench: the published assets."""

    size: Annotated[
        StorageSize | None,
        Meta(description="Size of the volume. Default 10Gi. Can be increased, not decreased."),
    ] = None
    storage_class_name: Annotated[
        ObjectName | None, Meta(description="StorageClass of the volume. Default: the default class of the cluster.")
    ] = None
    access_mode: Annotated[
        Literal["Auto", "ReadWriteMany", "ReadWriteOnce"] | None,
        Meta(
            description=(
                "Access mode of the volume. Auto (default): ReadWriteMany if the StorageClass is known to support it "
                "or says so in its annotation vyogo.tech/access-modes, else ReadWriteOnce, which keeps the pods that "
                "mount the volume on one node."
            )
        ),
    ] = None


class ServiceReference(Section):
    """A Service, possibly in another namespace. Only its address is read."""

    name: Annotated[ObjectName, Meta(description="Name of the Service.", examples=["ingress-nginx-controller"])]
    namespace: Annotated[
        ObjectName | None, Meta(description="Its namespace. Default: that of the bench.", examples=["ingress-nginx"])
    ] = None


class DomainConfig(Section):
    """Host names of the sites of the bench."""

    rules = (
        Rule(
            "!has(self.autoDetect) || !self.autoDetect || has(self.ingressControllerRef)",
            "autoDetect needs ingressControllerRef: name the Service of type LoadBalancer of the ingress controller, "
            "such as {name: ingress-nginx-controller, namespace: ingress-nginx}",
        ),
    )

    suffix: Annotated[
        Annotated[
            str,
            matching(
                rf"^(\.{LABEL})+$",
                "must be a dot followed by a domain in lowercase, such as .platform.example.com",
                200,
                NOT_AN_ADDRESS,
                IN_ASCII,
            ),
        ]
        | None,
        Meta(description="Appended to siteName. Starts with a dot.", examples=[".platform.example.com"]),
    ] = None
    auto_detect: Annotated[
        bool | None,
        Meta(
            description="Whether the address of the load balancer in front of the ingress controller names the sites, "
            "if no suffix does: with an IP address, `<siteName>.<address>.<ipSuffix>`, where `-` separates the numbers "
            "of the address; a host name is the domain itself, which only one site can have. Default false."
        ),
    ] = None
    ingress_controller_ref: Annotated[
        ServiceReference | None,
        Meta(description="Service of type LoadBalancer in front of the ingress controller, for autoDetect."),
    ] = None
    ip_suffix: Annotated[
        Annotated[
            str,
            matching(DNS_NAME, "must be a domain in lowercase, such as nip.io or sslip.io", 200, NOT_AN_ADDRESS),
        ]
        | None,
        Meta(
            description="Domain whose names resolve to the address that they contain, for autoDetect. Default nip.io.",
            examples=["sslip.io"],
        ),
    ] = None
    allow_wildcards: Annotated[
        bool | None,
        Meta(
            description="Whether sites may have wildcard hosts, such as `*.shop.example.com`, in `aliases` and "
            "`redirects`. No other site of the cluster gets a host name inside one, and it needs a wildcard "
            "certificate. Default false."
        ),
    ] = None


class DatabaseConfig(Section):
    """MariaDB server of the bench, created when the first site uses it."""

    image: Annotated[ImageName | None, Meta(description="Image of the server. Default: set by the operator.")] = None
    storage_size: Annotated[
        StorageSize | None,
        Meta(description="Size of the volume. Default 10Gi. Can be increased, not decreased."),
    ] = None
    storage_class_name: Annotated[
        ObjectName | None, Meta(description="StorageClass of the volume. Default: the default class of the cluster.")
    ] = None
    resources: Annotated[Resources | None, Meta(description="Resource requests and limits of the server.")] = None


class SiteTemplates(Section):
    """Whether new sites are copied from a template."""

    enabled: Annotated[
        bool | None,
        Meta(
            description="Whether the bench keeps templates in its MariaDB: dumps of new sites, one for each list of "
            "apps. A new site is copied from one in seconds. Default true."
        ),
    ] = None


LIMIT = "self.componentResources.redis.limits['memory']"
REDIS_LIMIT = (
    "has(self.redisConfig) && has(self.redisConfig.maxMemory) && has(self.componentResources) && "
    "has(self.componentResources.redis) && has(self.componentResources.redis.limits) && "
    f"'memory' in self.componentResources.redis.limits && isQuantity(string({LIMIT})) && "
    f"quantity(string({LIMIT})).compareTo(quantity('0')) > 0"
)
MEMORY_LIMIT_MESSAGE = (
    "redisConfig.maxMemory is more than 90% of componentResources.redis.limits.memory, so that Redis would be killed "
    "before it evicts keys: lower maxMemory or raise the limit"
)
BELOW_THE_LIMIT = (
    f"{memory('self.redisConfig.maxMemory')}.asApproximateFloat() * 10.0 <= "
    f"quantity(string({LIMIT})).asApproximateFloat() * 9.0"
)


class FrappeBenchSpec(Section):
    """Desired state of the bench."""

    rules = (
        Rule(
            "!(has(self.apps) && has(self.appsJSON))",
            "apps and appsJSON are two ways to write the same list: set only one of them",
        ),
        Rule(
            f"!({REDIS_LIMIT}) || !self.redisConfig.maxMemory.matches(r'{MEMORY}') || {BELOW_THE_LIMIT}",
            MEMORY_LIMIT_MESSAGE,
        ),
    )

    frappe_version: Annotated[
        Annotated[str, Version],
        Meta(
            description="Version of Frappe, 15 or newer. It is the image tag unless imageConfig sets another one.",
            examples=["version-15", "v15.51.1"],
        ),
    ]
    apps_json: Annotated[
        Annotated[str, apps_json_schema()] | None,
        Meta(
            description="Apps, as a JSON list of names or of objects {name, url, branch, version}; `gitUrl` and "
            "`gitBranch` are other names of `url` and `branch`. They mean what the fields of `apps` mean; with a "
            "`url`, `name` defaults to the last part of it.",
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
        Meta(
            description="Apps, in the order they are installed. Those that the image lacks are fetched from git and "
            "built into layers on the common storage."
        ),
    ] = None
    git_config: Annotated[GitConfig | None, Meta(description="Fetching of apps from git repositories.")] = None
    image_config: Annotated[ImageConfig | None, Meta(description="Image of the Frappe pods.")] = None
    component_replicas: Annotated[
        BenchReplicas | None,
        Meta(description="Replicas per component. nginx belongs to the bench; the others are defaults for its sites."),
    ] = None
    component_resources: Annotated[
        BenchResources | None,
        Meta(
            description="Resource requests and limits per component. nginx and redis belong to the bench; the others "
            "are defaults for its sites."
        ),
    ] = None
    component_hpa: Annotated[
        BenchHPA | None,
        Meta(
            description="A HorizontalPodAutoscaler per component, which decides on its number of replicas instead of "
            "componentReplicas. nginx belongs to the bench; the others are defaults for its sites."
        ),
    ] = field(default=None, name="componentHPA")
    gunicorn: Annotated[Gunicorn | None, Meta(description="Settings of the web servers: defaults for the sites.")] = (
        None
    )
    redis_config: Annotated[RedisConfig | None, Meta(description="Cache and queue of the bench.")] = None
    storage: Annotated[BenchStorage | None, Meta(description="Common storage of the bench: the published assets.")] = (
        None
    )
    domain_config: Annotated[DomainConfig | None, Meta(description="Host names of the sites of the bench.")] = None
    database_config: Annotated[
        DatabaseConfig | None, Meta(description="MariaDB server of the bench, created when the first site uses it.")
    ] = None
    site_templates: Annotated[
        SiteTemplates | None, Meta(description="Whether new sites are copied from a template.")
    ] = None
    ingress: Annotated[BenchIngress | None, Meta(description="How sites are reached from outside the cluster.")] = None
    proxy: Annotated[Proxy | None, Meta(description="Limits of requests: defaults for the sites.")] = None
    tls: Annotated[
        BenchTls | None, Meta(description="TLS of the sites, unless they set their own. Default: none, plain http.")
    ] = None
    upgrade: Annotated[Upgrade | None, Meta(description="How sites go over to a new image of the bench.")] = None
    trusted_proxies: Annotated[
        Annotated[list[Network], Meta(max_length=32)] | None,
        Meta(
            description=(
                "Networks of the proxies in front of the bench's proxy, such as the pods of the ingress controller and "
                "a load balancer. The headers `X-Forwarded-For` and `X-Forwarded-Proto` are accepted from these "
                "networks only. Default: none; the client address is then that of the peer that connects to the "
                "bench's proxy, and `X-Forwarded-Proto` is accepted from every peer."
            ),
            examples=[["10.244.0.0/16", "fd00:10:244::/56"]],
        ),
    ] = None


class FrappeBench(Struct, rename="camel"):
    """Infrastructure that Frappe sites share: proxy, cache, queue, storage, and a MariaDB where sites use it."""

    spec: FrappeBenchSpec
    status: FrappeBenchStatus | None = None
