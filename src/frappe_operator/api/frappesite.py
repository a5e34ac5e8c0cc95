"""FrappeSite: one site on a bench, with its own processes, database and files."""

from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from frappe_operator.api.types import (
    DNS_NAME,
    AppName,
    Asked,
    ComponentReplicas,
    ComponentResources,
    HostName,
    LocalReference,
    ObjectName,
    Rule,
    StorageSize,
    said,
)

MOVE = "cannot change once the site exists: make a new FrappeSite and move the data by backup and restore"


class BenchReference(Asked):
    """The bench of the site, in the site's own namespace."""

    name: Annotated[ObjectName, Meta(description="Name of the FrappeBench.", examples=["production-bench"])]
    namespace: Annotated[
        ObjectName | None, Meta(description="If given, the site's own: a site lives beside its bench.")
    ] = None


class DbConfig(Asked):
    """Where the site's database is."""

    rules = (
        Rule(
            "(has(self.mode) && self.mode == 'external') == has(self.connectionSecretRef)",
            "connectionSecretRef goes with mode: external, and mode: external needs it: name a Secret with the keys "
            "host, port, database, username, password",
        ),
    )

    provider: Annotated[Literal["mariadb"] | None, Meta(description="Only mariadb, which is the default.")] = None
    mode: Annotated[
        Literal["shared", "external"] | None,
        Meta(
            description=(
                "shared (default): its own database in the bench's MariaDB. external: yours, by connectionSecretRef."
            )
        ),
    ] = None
    connection_secret_ref: Annotated[
        LocalReference | None,
        Meta(description="Secret with host, port, database, username, password of an empty MariaDB database."),
    ] = None


class SiteStorage(Asked):
    """The site's own volume: its public and private files."""

    size: Annotated[StorageSize | None, Meta(description="Default 5Gi. May grow, not shrink.")] = None
    storage_class_name: Annotated[ObjectName | None, Meta(description="Default: the cluster's default class.")] = None
    access_mode: Annotated[
        Literal["ReadWriteOnce", "ReadWriteMany"] | None,
        Meta(description="ReadWriteOnce (default) keeps the site's pods on one node."),
    ] = None


class FrappeSiteSpec(Asked):
    """What the site shall be."""

    rules = (
        Rule(
            "!(self.siteName in ['assets', 'apps.txt', 'apps.json', 'common-site-config.json', 'localhost'])",
            "siteName is a name Frappe uses itself: take the site's host name, such as shop.example.com",
        ),
        Rule(
            r"has(self.domain) || !self.siteName.matches(r'^[0-9]+(\.[0-9]+){3}$')",
            "siteName is an IP address, which is no host name: write a name that leads to it in siteName or in domain, "
            "such as shop.example.com",
        ),
        Rule(
            "(has(self.dbConfig) && has(self.dbConfig.mode) ? self.dbConfig.mode : 'shared') == "
            "(has(oldSelf.dbConfig) && has(oldSelf.dbConfig.mode) ? oldSelf.dbConfig.mode : 'shared')",
            f"dbConfig.mode {MOVE}",
        ),
    )

    bench_ref: Annotated[
        BenchReference,
        Meta(
            description="The bench the site runs on. Cannot change.",
            extra_json_schema={
                "x-kubernetes-validations": [
                    {
                        "rule": "self.name == oldSelf.name",
                        "message": f"benchRef {MOVE}",
                    }
                ]
            },
        ),
    ]
    site_name: Annotated[
        Annotated[
            str,
            said(DNS_NAME, "write a host name in lower case, such as shop.example.com: it becomes a directory", 253),
        ],
        Meta(
            description="Frappe's name of the site: lower case, usually its host name. Cannot change.",
            examples=["shop.example.com"],
            extra_json_schema={
                "x-kubernetes-validations": [
                    {
                        "rule": "self == oldSelf",
                        "message": "siteName cannot change: use domain and aliases to answer on another host name",
                    }
                ]
            },
        ),
    ]
    apps: Annotated[
        Annotated[list[AppName], Meta(max_length=64, extra_json_schema={"x-kubernetes-list-type": "set"})] | None,
        Meta(
            description="Apps installed on the site, in order. Default: the bench's apps.",
            examples=[["erpnext"]],
        ),
    ] = None
    domain: Annotated[
        HostName | None,
        Meta(description="Host name the site answers on. Default: siteName with the bench's suffix, else siteName."),
    ] = None
    aliases: Annotated[
        Annotated[list[HostName], Meta(max_length=32, extra_json_schema={"x-kubernetes-list-type": "set"})] | None,
        Meta(description="Further host names the site answers on.", examples=[["www.example.com"]]),
    ] = None
    db_config: Annotated[DbConfig | None, Meta(description="Where the database is. Default: the bench's MariaDB.")] = (
        None
    )
    component_replicas: Annotated[
        ComponentReplicas | None, Meta(description="Pods a component; wins over the bench's, field by field.")
    ] = None
    component_resources: Annotated[
        ComponentResources | None,
        Meta(
            description=(
                "Requests and limits a component. What is named here replaces the bench's: `requests` of a component "
                "as a whole, and `limits` as a whole."
            )
        ),
    ] = None
    storage: Annotated[SiteStorage | None, Meta(description="The site's own volume.")] = None
    ingress_class_name: Annotated[ObjectName | None, Meta(description="IngressClass; wins over the bench's.")] = None
    deletion_policy: Annotated[
        Literal["Retain", "Delete"] | None,
        Meta(
            description=(
                "What happens to files, database, credentials and queued jobs when the FrappeSite is deleted. Retain "
                "(default): they stay, and a new FrappeSite of the same name takes them up again. Delete: they are "
                "removed, and so are the site's cached values."
            )
        ),
    ] = None


class FrappeSiteStatus(Asked):
    """What the site is."""

    site_url: Annotated[str | None, Meta(description="Where the site answers.")] = field(default=None, name="siteURL")
    resolved_domain: Annotated[str | None, Meta(description="The host name decided for the site.")] = None
    domain_source: Annotated[
        str | None, Meta(description="Where it comes from: explicit, bench-suffix or sitename-default.")
    ] = None
    bench_ready: Annotated[bool | None, Meta(description="Whether the bench is ready.")] = None
    database_ready: Annotated[bool | None, Meta(description="Whether the database answers.")] = None
    database_name: Annotated[str | None, Meta(description="Name of the site's database.")] = None
    db_connection_secret: Annotated[str | None, Meta(description="Secret with the database connection.")] = None
    admin_secret: Annotated[
        str | None, Meta(description="Secret whose key `password` is the first password of Administrator.")
    ] = None
    frappe_version: Annotated[str | None, Meta(description="Frappe's version in the image the site runs.")] = None
    installed_apps: Annotated[list[str] | None, Meta(description="Apps installed on the site.")] = None


class FrappeSite(Struct, rename="camel"):
    """One Frappe site with its own web servers, realtime, scheduler, workers, database and files."""

    spec: FrappeSiteSpec
    status: FrappeSiteStatus | None = None
