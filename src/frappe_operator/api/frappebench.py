"""FrappeBench: the infrastructure its sites share."""

from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from frappe_operator.api.types import (
    DIGEST,
    LABEL,
    MEMORY,
    NOT_AN_ADDRESS,
    TAG,
    AppName,
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
    validations,
)

APPS_JSON = (
    'a JSON list of app names, such as ["erpnext", "hrms"], or of objects with a "name" or "url", and optionally a '
    '"branch" or "version"'
)
GIT_URL = (
    r"(https://[A-Za-z0-9][A-Za-z0-9.-]*|ssh://([A-Za-z0-9_][A-Za-z0-9._-]*@)?[A-Za-z0-9][A-Za-z0-9.-]*)"
    r"(:[0-9]{1,5})?(/[A-Za-z0-9._~%+-]+)+/?"
)
"""A URL of a git repository. No part of it can begin with `-`, which ssh would take for an option."""
GIT_URL_MESSAGE = (
    "must be an https or ssh URL of a git repository, such as https://github.com/frappe/crm or "
    "ssh://git@github.com/frappe/crm, without a password or token in it: use authSecretRef for those"
)
GIT_NAME = r"[A-Za-z0-9_][A-Za-z0-9_+-]*([./][A-Za-z0-9_+-]+)*"
"""A name of a branch or tag: no part of it is empty or begins with a dot, and it does not begin with `-`."""
GIT_NAME_MESSAGE = (
    "must be the name of a branch or tag or a full commit id: letters, digits, '_', '+', '-', with '.' and '/' "
    "between them"
)
APP = "[a-z][a-z0-9_]{0,63}"
TWO_NAMES = "gitBranch and version both say what is fetched: set only one of them"


def _apps_json() -> Meta:
    def spaced(*words: str) -> str:
        return r"[ \t\r\n]*".join(words)

    def apps(url: str, name: str) -> str:
        fields = "|".join(
            [
                spaced('"name"', ":", f'"{APP}"'),
                spaced('"source"', ":", '"(image|git)"'),
                spaced('"(url|gitUrl)"', ":", f'"{url}"'),
                spaced('"(branch|gitBranch|version)"', ":", f'"{name}"'),
            ]
        )
        app = f'("{APP}"|{spaced("[{]", f"({fields})", spaced("(,", f"({fields}))*"), "[}]")})'
        return spaced("^", r"\[", f"({app}", spaced("(,", f"{app})*"), r")?\]", "$")

    text = r'[^"\\\x00-\x1f]*'
    rules = (
        Rule(f"self.matches(r'{apps(text, text)}')", f"must be {APPS_JSON}"),
        Rule(
            f"!self.matches(r'{apps(text, text)}') || self.matches(r'{apps(GIT_URL, GIT_NAME)}')",
            f"a url {GIT_URL_MESSAGE}; a branch or version {GIT_NAME_MESSAGE}",
        ),
    )
    return Meta(max_length=16384, extra_json_schema=validations(*rules))


Version = matching(
    rf"^{TAG}$",
    "must be an image tag, such as version-15 or v15.51.1",
    128,
    Rule(
        r"!self.matches(r'^(version-|v)?([0-9]|1[0-4])([.-].*)?$')",
        "Frappe versions before 15 are not supported: use an image with Frappe 15 or newer",
    ),
)


class App(Section):
    """An app that sites of the bench can install."""

    rules = (
        Rule("!has(self.gitBranch) || !has(self.version)", TWO_NAMES),
        Rule(
            "!has(self.source) || self.source != 'image' || (!has(self.gitUrl) && !has(self.gitBranch) && "
            "!has(self.version) && !has(self.authSecretRef))",
            "source: image takes the app from the image: remove gitUrl, gitBranch, version and authSecretRef, or set "
            "source: git",
        ),
    )

    name: Annotated[AppName, Meta(description="The app's Python package.", examples=["erpnext"])]
    source: Annotated[
        Literal["image", "git"] | None,
        Meta(
            description="Where the app is taken from: the image of the bench, or a git repository. Default: git if "
            "gitUrl, gitBranch or version is set, otherwise the image if it contains the app, otherwise git."
        ),
    ] = None
    git_url: Annotated[
        Annotated[str, matching(rf"^{GIT_URL}$", GIT_URL_MESSAGE, 512)] | None,
        Meta(
            description="Repository of the app, an https or ssh URL. Default: the repository of an official app.",
            examples=["https://github.com/frappe/crm"],
        ),
    ] = None
    git_branch: Annotated[
        Annotated[str, matching(rf"^{GIT_NAME}$", GIT_NAME_MESSAGE, 250)] | None,
        Meta(
            description="Branch that is fetched. Default: for an official app the branch that fits the Frappe of the "
            "image, otherwise the default branch of the repository.",
            examples=["version-15"],
        ),
    ] = None
    version: Annotated[
        Annotated[str, matching(rf"^{GIT_NAME}$", GIT_NAME_MESSAGE, 250)] | None,
        Meta(
            description="Tag, full commit id, or branch that is fetched, in place of gitBranch.", examples=["v15.30.0"]
        ),
    ] = None
    auth_secret_ref: Annotated[
        LocalReference | None,
        Meta(
            description="Secret of the same namespace with the login to the repository: `username` and `password`, or "
            "`token`, for https; `ssh-privatekey` and `known_hosts` for ssh."
        ),
    ] = None


class GitConfig(Section):
    """Fetching of apps from git repositories."""

    enabled: Annotated[
        bool | None,
        Meta(
            description="Whether apps that the image lacks may be fetched from git repositories. Default true, unless "
            "git is forbidden for the cluster by a setting of the operator."
        ),
    ] = None


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


class DomainConfig(Section):
    """Host names of sites that set no `domain`."""

    suffix: Annotated[
        Annotated[
            str,
            matching(
                rf"^(\.{LABEL})+$",
                "must be a dot followed by a domain in lowercase, such as .platform.example.com",
                200,
                NOT_AN_ADDRESS,
            ),
        ]
        | None,
        Meta(description="Appended to siteName. Starts with a dot.", examples=[".platform.example.com"]),
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


class BenchIngress(Section):
    """How sites are reached from outside the cluster."""

    rules = (
        Rule(
            "!has(self.className) || !has(self.type) || self.type == 'Ingress'",
            "className cannot be set with type: None, which creates no Ingress: remove one of the two",
        ),
    )

    type: Annotated[
        Literal["Ingress", "None"] | None,
        Meta(description="Ingress (default): one Ingress per site. None: you route to the Service `<bench>-nginx`."),
    ] = None
    class_name: Annotated[
        ObjectName | None, Meta(description="IngressClass. Default: the default class of the cluster.")
    ] = None


Duration = Annotated[
    str, matching(r"^[1-9][0-9]{0,5}[smhd]$", "must be a number with a unit: s, m, h or d, such as 30m or 6h", 7)
]
ClockTime = Annotated[str, matching("^([01][0-9]|2[0-3]):[0-5][0-9]$", "must be a time of the day such as 22:30", 5)]
Day = Literal["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]


class UpgradeWindow(Section):
    """The hours in which the upgrade of a site may begin. One that has begun goes on."""

    rules = (Rule("self.start != self.end", "start and end are equal: remove window to allow every hour"),)

    start: Annotated[ClockTime, Meta(description="Time at which the window opens.", examples=["22:00"])]
    end: Annotated[
        ClockTime,
        Meta(description="Time at which it closes, on the next day if it is before `start`.", examples=["04:00"]),
    ]
    days: Annotated[
        Annotated[list[Day], Meta(max_length=7, extra_json_schema={"x-kubernetes-list-type": "set"})] | None,
        Meta(description="Days on which the window opens. Default: every day.", examples=[["Saturday", "Sunday"]]),
    ] = None
    time_zone: Annotated[
        Annotated[
            str,
            matching(
                "^[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+)*$", "must be the name of a time zone such as Europe/Berlin", 64
            ),
        ]
        | None,
        Meta(description="Time zone of the hours and days. Default UTC.", examples=["Europe/Berlin"]),
    ] = None


class Upgrade(Section):
    """How the sites of the bench go over to a new image. Each site is upgraded by itself, and serves on with the
    image and the data of before if that fails."""

    strategy: Annotated[
        Literal["Automatic", "Manual"] | None,
        Meta(
            description="Automatic (default): sites are upgraded one after the other. Manual: a site is upgraded when "
            "its spec.release names the image."
        ),
    ] = None
    max_concurrent: Annotated[
        Annotated[int, Meta(ge=1, le=1000)] | None,
        Meta(description="How many sites are upgraded at the same time. Default 1."),
    ] = None
    canary: Annotated[
        Annotated[list[ObjectName], Meta(max_length=32, extra_json_schema={"x-kubernetes-list-type": "set"})] | None,
        Meta(
            description="Names of FrappeSites that are upgraded first. If one of them fails, no other site is begun.",
            examples=[["staging"]],
        ),
    ] = None
    pause_after_canary: Annotated[
        Duration | None,
        Meta(description="How long the other sites wait after the last canary. Default: not at all.", examples=["2h"]),
    ] = None
    max_failures: Annotated[
        Annotated[int, Meta(ge=0, le=1000)] | None,
        Meta(description="With more failed sites than this, no further site is begun. Default 1."),
    ] = None
    window: Annotated[
        UpgradeWindow | None, Meta(description="Hours in which the upgrade of a site may begin. Default: any hour.")
    ] = None
    drain_timeout: Annotated[
        Duration | None,
        Meta(
            description="How long a site's turn waits for running jobs before its condition Upgraded says where they "
            "run. The jobs still end first. Default 10m."
        ),
    ] = None
    migration_timeout: Annotated[
        Duration | None,
        Meta(description="How long the migration of one site may take before it counts as failed. Default 6h."),
    ] = None
    keep_dumps: Annotated[
        Annotated[int, Meta(ge=0, le=20)] | None,
        Meta(
            description="How many dumps of the database, one of each upgrade, are kept on the volume of a site. "
            "Default 1."
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
        Annotated[str, _apps_json()] | None,
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
    redis_config: Annotated[RedisConfig | None, Meta(description="Cache and queue of the bench.")] = None
    storage: Annotated[BenchStorage | None, Meta(description="Common storage of the bench: the published assets.")] = (
        None
    )
    domain_config: Annotated[DomainConfig | None, Meta(description="Host names of sites that set no `domain`.")] = None
    database_config: Annotated[
        DatabaseConfig | None, Meta(description="MariaDB server of the bench, created when the first site uses it.")
    ] = None
    site_templates: Annotated[
        SiteTemplates | None, Meta(description="Whether new sites are copied from a template.")
    ] = None
    ingress: Annotated[BenchIngress | None, Meta(description="How sites are reached from outside the cluster.")] = None
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


class ReleaseLayerStatus(Section):
    """An app layer that sites mount together with the image."""

    app: Annotated[str, Meta(description="The app.")]
    key: Annotated[str, Meta(description="Fingerprint of the inputs, and name of the folder of the layer.")]
    url: Annotated[str, Meta(description="Repository.")]
    ref: Annotated[str, Meta(description="Branch, tag or commit that was requested; HEAD: the default branch.")]
    commit: Annotated[str, Meta(description="Commit that was fetched.")]
    version: Annotated[str | None, Meta(description="Version of the app. Absent if it declares none.")] = None
    image_key: Annotated[str | None, Meta(description="Fingerprint of the image for which it was built.")] = None
    request: Annotated[
        str | None, Meta(description="Value of the annotation vyogo.tech/build-apps that requested the build.")
    ] = None


class ImageStatus(Section):
    """What the inspection of the image found."""

    reference: Annotated[str | None, Meta(description="Image that was inspected.")] = None
    digest: Annotated[
        str | None,
        Meta(
            description="Digest of that image. Pods run it until the spec names another image or the annotation "
            "vyogo.tech/inspect-image of the bench changes. Absent if the node did not report it."
        ),
    ] = None
    frappe_version: Annotated[str | None, Meta(description="Version of Frappe in the image.")] = None
    python: Annotated[str | None, Meta(description="Version of Python in the image.")] = None
    apps: Annotated[dict[str, str] | None, Meta(description="Apps in the image, with their versions.")] = None
    assets_size: Annotated[
        str | None,
        Meta(
            description="Size of the built assets on the common storage: of this image, the one before, and every one "
            "that a site still ran when this one was inspected. All others were removed then."
        ),
    ] = None
    request: Annotated[
        str | None,
        Meta(description="Value of the annotation vyogo.tech/inspect-image that requested the inspection."),
    ] = None
    image_apps: Annotated[
        dict[str, str] | None, Meta(description="Apps in the image without app layers. Absent if there are none.")
    ] = None
    layers: Annotated[
        list[ReleaseLayerStatus] | None,
        Meta(description="App layers that sites mount together with the image. `apps` contains their apps."),
    ] = None


class UpgradeStatus(Section):
    """The sites on their way to the image of the bench. Absent when all of them run it."""

    image: Annotated[str | None, Meta(description="Image that the sites upgrade to.")] = None
    total: Annotated[int | None, Meta(description="Number of sites on the bench.")] = None
    done: Annotated[int | None, Meta(description="Number of sites that run the image.")] = None
    upgrading: Annotated[list[str] | None, Meta(description="Sites that are being upgraded.")] = None
    next: Annotated[list[str] | None, Meta(description="Sites that follow, in this order: the first ten of them.")] = (
        None
    )
    waiting: Annotated[int | None, Meta(description="Number of sites that follow.")] = None
    failed: Annotated[list[str] | None, Meta(description="Sites whose upgrade failed: at most a hundred.")] = None


class LayerStatus(Section):
    """An app that was fetched and built into a layer on the common storage."""

    app: Annotated[str, Meta(description="The app.")]
    key: Annotated[str, Meta(description="Fingerprint of the inputs, and name of the folder of the layer.")]
    url: Annotated[str, Meta(description="Repository.")]
    ref: Annotated[str, Meta(description="Branch, tag or commit that was requested; HEAD: the default branch.")]
    commit: Annotated[str, Meta(description="Commit that was fetched.")]
    size: Annotated[str, Meta(description="Size on the common storage.")]
    current: Annotated[bool, Meta(description="Whether the apps of the spec need the layer now. The others are kept.")]
    version: Annotated[str | None, Meta(description="Version of the app. Absent if it declares none.")] = None
    note: Annotated[str | None, Meta(description="What the layer lacks. Absent if it is complete.")] = None


class SecretRevisionsStatus(Section):
    """Revisions of the Secrets that servers read when they start."""

    redis: Annotated[
        str | None, Meta(description="Revision of <bench>-redis that Redis and the pods of the sites run with.")
    ] = None
    mariadb: Annotated[str | None, Meta(description="Revision of <bench>-mariadb-root that MariaDB runs with.")] = None


class TemplateStatus(Section):
    """A template that new sites are copied from."""

    key: Annotated[str | None, Meta(description="Fingerprint of image and apps, in the name of the Job.")] = None
    image: Annotated[str | None, Meta(description="Image that the template was made with.")] = None
    apps: Annotated[list[str] | None, Meta(description="Apps of the template, in the order of installation.")] = None
    state: Annotated[
        str | None,
        Meta(description="Pending, Making, Ready or Failed. Sites are created without a template until it is Ready."),
    ] = None
    message: Annotated[str | None, Meta(description="What the template waits for, or why there is none.")] = None


class FrappeBenchStatus(Section):
    """Observed state of the bench."""

    image: Annotated[ImageStatus | None, Meta(description="What the inspection of the image found.")] = None
    earlier_images: Annotated[
        list[ImageStatus] | None,
        Meta(
            description="Earlier images that some site still runs, or ran before the image of the bench. Their assets "
            "are served."
        ),
    ] = None
    upgrade: Annotated[
        UpgradeStatus | None, Meta(description="The sites on their way to the image; absent when all run it.")
    ] = None
    sites: Annotated[int | None, Meta(description="Number of FrappeSites on the bench.")] = None
    installed_apps: Annotated[list[str] | None, Meta(description="Apps that sites can install.")] = None
    templates: Annotated[list[TemplateStatus] | None, Meta(description="Templates that new sites are copied from.")] = (
        None
    )
    layers: Annotated[
        list[LayerStatus] | None, Meta(description="Apps that were built into layers, the latest last.")
    ] = None
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
