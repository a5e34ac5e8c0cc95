"""Reasons of the conditions of benches and sites, in addition to those of `kube.reasons`."""

from frappe_operator.kube.reasons import WORKING, ReasonEnum, Trait


class FrappeReason(ReasonEnum):
    """Reasons that are about Frappe: its benches, sites, databases and images."""

    # In progress.
    BENCH_NOT_READY = "BenchNotReady", Trait.EXPECTED
    DATABASE_UNAVAILABLE = (
        "DatabaseUnavailable",
        Trait.EXPLAINED_BY_PODS | Trait.STAYS_WHEN_EXPLAINED | Trait.TRANSIENT,
    )
    REDIS_UNAVAILABLE = "RedisUnavailable", Trait.TRANSIENT
    ROUTE_NOT_SERVED = "RouteNotServed", Trait.EXPECTED
    NOT_ANSWERING = "NotAnswering", Trait.EXPECTED
    CERTIFICATE_PENDING = "CertificatePending", Trait.EXPECTED
    ADDRESS_PENDING = "AddressPending", Trait.EXPECTED
    ROUTE_PENDING = "RoutePending", Trait.EXPECTED
    LISTENER_PENDING = "ListenerPending", Trait.EXPECTED
    SITES_REMAIN = "SitesRemain"
    UPGRADING = "Upgrading", WORKING
    REMOVING_APPS = "RemovingApps", WORKING
    UPGRADE_PENDING = "UpgradePending", Trait.EXPECTED
    SITE_BUSY = "SiteBusy", Trait.TRANSIENT
    UPGRADE_RUNNING = "UpgradeRunning", Trait.TRANSIENT
    RELEASE_MISMATCH = "ReleaseMismatch", Trait.TRANSIENT
    SITE_NOT_CREATED = "SiteNotCreated", Trait.TRANSIENT
    CREATION_FAILED = "CreationFailed"
    INSTALLATION_FAILED = "InstallationFailed"
    DUMP_FAILED = "DumpFailed"
    TEMPLATE_UNFIT = "TemplateUnfit"
    INTERRUPTED = "Interrupted", Trait.TRANSIENT
    GIT_UNREACHABLE = "GitUnreachable", Trait.TRANSIENT
    INDEX_UNREACHABLE = "IndexUnreachable", Trait.TRANSIENT
    ASSETS_FAILED = "AssetsFailed"
    STORAGE_FAILED = "StorageFailed"
    # The user must act.
    UPGRADE_FAILED = "UpgradeFailed"
    BENCH_NOT_FOUND = "BenchNotFound"
    BENCH_DELETING = "BenchDeleting"
    APP_NOT_IN_IMAGE = "AppNotInImage"
    APP_UNKNOWN = "AppUnknown"
    APP_INVALID = "AppInvalid"
    APP_REQUIRED = "AppRequired"
    GIT_FORBIDDEN = "GitForbidden"
    GIT_REFUSED = "GitRefused"
    GIT_REF_NOT_FOUND = "GitRefNotFound"
    LAYER_MISSING = "LayerMissing"
    DEPENDENCY_UNAVAILABLE = "DependencyUnavailable"
    HOST_TAKEN = "HostTaken"
    CERTIFICATE_INVALID = "CertificateInvalid"
    CERTIFICATE_EXPIRED = "CertificateExpired"
    CERTIFICATE_FAILED = "CertificateFailed"
    ROUTE_REFUSED = "RouteRefused"
    LISTENER_REFUSED = "ListenerRefused"
    DATABASE_REFUSED = "DatabaseRefused"
    DATABASE_NOT_EMPTY = "DatabaseNotEmpty"
    DATABASE_LOST = "DatabaseLost"
    SITE_CONFIG_INVALID = "SiteConfigInvalid"
    IMAGE_INVALID = "ImageInvalid"
    VOLUME_INVALID = "VolumeInvalid"
    VERSION_NOT_SUPPORTED = "VersionNotSupported"
    MIGRATION_FAILED = "MigrationFailed"
    REMOVAL_FAILED = "RemovalFailed"
    UPGRADES_STOPPED = "UpgradesStopped"
    RELEASE_UNKNOWN = "ReleaseUnknown"
    # A fault of the operator.
    RUNNER_ERROR = "RunnerError"
    INVALID_ARGUMENTS = "InvalidArguments"
