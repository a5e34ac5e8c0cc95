"""FrappeSite: one site on a bench, with its own processes, database and files."""

from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from frappe_operator.api.ingress import Ingress
from frappe_operator.api.proxy import Proxy
from frappe_operator.api.scaling import ComponentHPA, Gunicorn
from frappe_operator.api.tls import Tls
from frappe_operator.api.types import (
    DNS_NAME,
    IN_ASCII,
    AppName,
    ComponentReplicas,
    ComponentResources,
    HostName,
    ImageName,
    LocalReference,
    ObjectName,
    OtherHostName,
    Resources,
    Rule,
    Section,
    StorageSize,
    matching,
)

IMMUTABLE = "is immutable: create a new FrappeSite and move the data by backup and restore"


class BenchReference(Section):
    """Reference to a FrappeBench in the namespace of the site."""

    name: Annotated[ObjectName, Meta(description="Name of the FrappeBench.", examples=["production-bench"])]
    namespace: Annotated[
        ObjectName | None,
        Meta(description="If set, must be the namespace of the site: a site and its bench share one."),
    ] = None


class DbConfig(Section):
    """Database of the site."""

    rules = (
        Rule(
            "(has(self.mode) && self.mode == 'external') == has(self.connectionSecretRef)",
            "connectionSecretRef is required with mode: external and not allowed with another mode: it names a Secret "
            "with the keys host, port, database, username, password",
        ),
        *(
            Rule(
                f"!has(self.{name}) || (has(self.mode) && self.mode == 'dedicated')",
                f"{name} belongs to mode: dedicated, where the site has a MariaDB server of its own: remove it, or set "
                "mode: dedicated in a new FrappeSite",
            )
            for name in ("storageSize", "storageClassName", "resources", "image")
        ),
        Rule(
            "!has(self.tls) || (has(self.mode) && self.mode == 'external')",
            "tls belongs to mode: external: remove it; the operator's own servers are reached inside the cluster",
        ),
    )

    provider: Annotated[Literal["mariadb"] | None, Meta(description="Database server. Default mariadb.")] = None
    mode: Annotated[
        Literal["shared", "dedicated", "external"] | None,
        Meta(
            description=(
                "shared (default): a database of its own on the bench's MariaDB server. dedicated: a MariaDB server "
                "of its own. external: an existing database, named by connectionSecretRef. Immutable."
            )
        ),
    ] = None
    image: Annotated[
        ImageName | None,
        Meta(description="Image of the server. Default: set by the operator. Only with mode: dedicated."),
    ] = None
    storage_size: Annotated[
        StorageSize | None,
        Meta(
            description="Size of the volume of the server. Default 10Gi. Can be increased, not decreased. Only with "
            "mode: dedicated."
        ),
    ] = None
    storage_class_name: Annotated[
        ObjectName | None,
        Meta(
            description="StorageClass of the volume of the server. Default: the default class of the cluster. Only "
            "with mode: dedicated."
        ),
    ] = None
    resources: Annotated[
        Resources | None,
        Meta(
            description="Resource requests and limits of the server. Half its memory is for cached data "
            "(innodb_buffer_pool_size), and it accepts one connection for each 4Mi. Only with mode: dedicated."
        ),
    ] = None
    connection_secret_ref: Annotated[
        LocalReference | None,
        Meta(
            description="Secret with the keys host, port, database, username, password of an empty MariaDB database, "
            "and optionally ca.crt: the authorities that sign the certificate of the server."
        ),
    ] = None
    tls: Annotated[
        Literal["required", "preferred", "disabled"] | None,
        Meta(
            description="TLS to an external database. required: the certificate of the server is verified, for the "
            "host in the Secret, by ca.crt or, without that key, by the authorities that the image trusts. preferred: "
            "the same if it is possible when the connection is configured, otherwise no TLS. disabled: no TLS. "
            "Default: required if the Secret has the key ca.crt, otherwise no TLS."
        ),
    ] = None


class SiteStorage(Section):
    """Volume of the site: its public and private files."""

    size: Annotated[
        StorageSize | None, Meta(description="Size of the volume. Default 5Gi. Can be increased, not decreased.")
    ] = None
    storage_class_name: Annotated[
        ObjectName | None, Meta(description="StorageClass of the volume. Default: the default class of the cluster.")
    ] = None
    access_mode: Annotated[
        Literal["ReadWriteOnce", "ReadWriteMany"] | None,
        Meta(description="Access mode of the volume. ReadWriteOnce (default) keeps the pods of the site on one node."),
    ] = None


class FrappeSiteSpec(Section):
    """Desired state of the site."""

    rules = (
        Rule(
            "!(self.siteName in ['assets', 'apps.txt', 'apps.json', 'common-site-config.json', 'localhost'])",
            "siteName is a name that Frappe reserves: use the host name of the site, such as shop.example.com",
        ),
        Rule(
            r"has(self.domain) || !self.siteName.matches(r'^[0-9]+(\.[0-9]+){3}$')",
            "siteName is an IP address: use a host name that resolves to it, such as shop.example.com, in siteName "
            "or in domain",
        ),
        Rule(
            "(has(self.dbConfig) && has(self.dbConfig.mode) ? self.dbConfig.mode : 'shared') == "
            "(has(oldSelf.dbConfig) && has(oldSelf.dbConfig.mode) ? oldSelf.dbConfig.mode : 'shared')",
            f"dbConfig.mode {IMMUTABLE}",
        ),
        Rule(
            "!has(self.aliases) || !has(self.redirects) || self.redirects.all(host, !(host in self.aliases))",
            "a host name is both in aliases, where the site is served, and in redirects: remove it from one of the two",
        ),
        Rule(
            "!has(self.ingressClassName) || !has(self.ingress) || (!has(self.ingress.className) && "
            "(!has(self.ingress.type) || self.ingress.type == 'Ingress'))",
            "ingressClassName is another name of ingress.className: set only one of them, and only with type: Ingress",
        ),
    )

    bench_ref: Annotated[
        BenchReference,
        Meta(
            description="Bench that the site runs on. Immutable.",
            extra_json_schema={
                "x-kubernetes-validations": [
                    {
                        "rule": "self.name == oldSelf.name",
                        "message": f"benchRef {IMMUTABLE}",
                    }
                ]
            },
        ),
    ]
    site_name: Annotated[
        Annotated[
            str,
            matching(DNS_NAME, "must be a host name in lowercase, such as shop.example.com", 253, IN_ASCII),
        ],
        Meta(
            description="Name of the site in Frappe: lowercase, usually its host name. Immutable.",
            examples=["shop.example.com"],
            extra_json_schema={
                "x-kubernetes-validations": [
                    {
                        "rule": "self == oldSelf",
                        "message": "siteName is immutable: use domain and aliases to serve other host names",
                    }
                ]
            },
        ),
    ]
    apps: Annotated[
        Annotated[list[AppName], Meta(max_length=64, extra_json_schema={"x-kubernetes-list-type": "set"})] | None,
        Meta(
            description="Apps to install on the site, in this order. Default: the apps of the bench. One that is taken "
            "from the list is removed when the annotation vyogo.tech/confirm-uninstall names it, and stays until then.",
            examples=[["erpnext"]],
        ),
    ] = None
    domain: Annotated[
        HostName | None,
        Meta(
            description="Primary host name of the site. Default: siteName followed by domainConfig.suffix of the "
            "bench; without a suffix, what domainConfig.autoDetect of the bench finds; otherwise siteName."
        ),
    ] = None
    aliases: Annotated[
        Annotated[list[OtherHostName], Meta(max_length=32, extra_json_schema={"x-kubernetes-list-type": "set"})] | None,
        Meta(
            description="Additional host names at which the site is served as well. `*.shop.example.com` stands for "
            "every host name one label below shop.example.com, if domainConfig.allowWildcards of the bench is true.",
            examples=[["www.example.com"]],
        ),
    ] = None
    redirects: Annotated[
        Annotated[list[OtherHostName], Meta(max_length=32, extra_json_schema={"x-kubernetes-list-type": "set"})] | None,
        Meta(
            description="Additional host names from which visitors are redirected to the primary host name. Wildcards "
            "as in `aliases`.",
            examples=[["shop.example.org"]],
        ),
    ] = None
    db_config: Annotated[
        DbConfig | None, Meta(description="Database of the site. Default: a database on the bench's MariaDB server.")
    ] = None
    component_replicas: Annotated[
        ComponentReplicas | None,
        Meta(description="Replicas per component. Each field that is set takes precedence over the bench's."),
    ] = None
    component_resources: Annotated[
        ComponentResources | None,
        Meta(
            description=(
                "Resource requests and limits per component. `requests` of a component replaces the bench's `requests` "
                "as a whole, and `limits` replaces its `limits` as a whole."
            )
        ),
    ] = None
    component_hpa: Annotated[
        ComponentHPA | None,
        Meta(
            description="A HorizontalPodAutoscaler per component, which decides on its number of replicas instead of "
            "componentReplicas. Each field that is set takes precedence over the bench's."
        ),
    ] = field(default=None, name="componentHPA")
    gunicorn: Annotated[
        Gunicorn | None,
        Meta(description="Settings of the web server. Each field that is set takes precedence over the bench's."),
    ] = None
    storage: Annotated[SiteStorage | None, Meta(description="Volume of the site: its public and private files.")] = None
    ingress_class_name: Annotated[ObjectName | None, Meta(description="Another name of ingress.className.")] = None
    ingress: Annotated[
        Ingress | None,
        Meta(
            description="How the site is reached from outside the cluster. Fields that are set take precedence over "
            "the bench's; with another `type` than that of the bench, none of the bench's is used."
        ),
    ] = None
    proxy: Annotated[
        Proxy | None,
        Meta(description="Limits of requests. Each field that is set takes precedence over the bench's."),
    ] = None
    tls: Annotated[
        Tls | None,
        Meta(
            description="TLS of the site: https at all its host names. Fields that are set take precedence over the "
            "bench's; secretName, issuer and clusterIssuer do so together. Default: that of the bench."
        ),
    ] = None
    release: Annotated[
        Annotated[
            str, matching("^[A-Za-z0-9][A-Za-z0-9._/:@-]*$", "must be an image, its tag, or a version of Frappe", 512)
        ]
        | None,
        Meta(
            description="Image of the bench that the site may upgrade to: its name, its tag, or its version of Frappe. "
            "While the bench has another one, the site stays with the image that it runs. Default: any image with "
            "upgrade.strategy Automatic of the bench, none with Manual.",
            examples=["v15.102.0"],
        ),
    ] = None
    deletion_policy: Annotated[
        Literal["Retain", "Delete"] | None,
        Meta(
            description=(
                "What happens to the files, database, credentials and queued jobs when the FrappeSite is deleted. "
                "Retain (default): they are kept, and a new FrappeSite of the same name uses them again. Delete: they "
                "are deleted, and so are the cached values of the site."
            )
        ),
    ] = None


class SiteUpgradeStatus(Section):
    """The upgrade of the site that is under way, or that failed last."""

    image: Annotated[str | None, Meta(description="Image that the site upgrades to.")] = None
    frappe_version: Annotated[str | None, Meta(description="Version of Frappe in that image.")] = None
    step: Annotated[
        str | None,
        Meta(description="Draining, Stopping, Migrating, Starting, Returning (to the image of before), or Failed."),
    ] = None
    since: Annotated[str | None, Meta(description="When the step began.")] = None
    attempt: Annotated[str | None, Meta(description="Identifies the attempt, and the Job that migrates the data.")] = (
        None
    )


class SiteAppStatus(Section):
    """An app of the site."""

    name: Annotated[str, Meta(description="The app.")]
    state: Annotated[
        str,
        Meta(
            description="Installed; Installing (in the list, not installed yet); NotWanted (installed, not in the "
            "list); Removing; or RemovalFailed (installed as before)."
        ),
    ]
    version: Annotated[str | None, Meta(description="Its version. Absent if it declares none.")] = None


class SiteHostStatus(Section):
    """A host name of the site."""

    name: Annotated[str, Meta(description="The host name; `*.` stands for one label.")]
    unicode_name: Annotated[
        str | None, Meta(description="An internationalised name as people read it. Absent for others.")
    ] = None
    redirected: Annotated[
        bool | None, Meta(description="Whether visitors are redirected to the primary host name.")
    ] = None


class FrappeSiteStatus(Section):
    """Observed state of the site."""

    site_url: Annotated[str | None, Meta(description="URL of the site.")] = field(default=None, name="siteURL")
    resolved_domain: Annotated[str | None, Meta(description="Primary host name of the site.")] = None
    domain_source: Annotated[
        str | None,
        Meta(
            description="What the host name is derived from: explicit, bench-suffix, auto-detected or sitename-default."
        ),
    ] = None
    hosts: Annotated[
        list[SiteHostStatus] | None,
        Meta(description="The host names that belong to the site, the primary one first."),
    ] = None
    bench_ready: Annotated[bool | None, Meta(description="Whether the bench provides what the site needs.")] = None
    database_ready: Annotated[bool | None, Meta(description="Whether the database of the site is available.")] = None
    database_name: Annotated[str | None, Meta(description="Name of the site's database.")] = None
    db_connection_secret: Annotated[str | None, Meta(description="Secret with the connection to the database.")] = None
    admin_secret: Annotated[
        str | None, Meta(description="Secret whose key `password` holds the initial password of Administrator.")
    ] = None
    frappe_version: Annotated[str | None, Meta(description="Version of Frappe in the image that the site runs.")] = None
    release: Annotated[
        str | None, Meta(description="Image that the site runs: the one that its data was last migrated with.")
    ] = None
    upgrade: Annotated[
        SiteUpgradeStatus | None, Meta(description="The upgrade that is under way, or that failed last.")
    ] = None
    installed_apps: Annotated[list[str] | None, Meta(description="Apps installed on the site.")] = None
    apps: Annotated[
        list[SiteAppStatus] | None, Meta(description="The apps that are installed or in the list, and their state.")
    ] = None


class FrappeSite(Struct, rename="camel"):
    """One Frappe site with its own web servers, realtime, scheduler, workers, database and files."""

    spec: FrappeSiteSpec
    status: FrappeSiteStatus | None = None
