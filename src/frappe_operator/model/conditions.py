"""The types of the conditions of benches and sites, in the order of their stages."""

from enum import StrEnum


class BenchCondition(StrEnum):
    """Types of the conditions of a FrappeBench in addition to Ready, Reconciling and Stalled."""

    STORAGE_READY = "StorageReady"
    IMAGE_READY = "ImageReady"
    APPS_READY = "AppsReady"
    CACHE_READY = "CacheReady"
    DATABASE_READY = "DatabaseReady"
    PROXY_READY = "ProxyReady"
    SITES_UPGRADED = "SitesUpgraded"
    DELETED = "Deleted"
    """Present only while the object is being deleted."""


class SiteCondition(StrEnum):
    """Types of the conditions of a FrappeSite in addition to Ready, Reconciling and Stalled."""

    BENCH_READY = "BenchReady"
    STORAGE_READY = "StorageReady"
    DATABASE_READY = "DatabaseReady"
    SITE_CREATED = "SiteCreated"
    CONFIGURED = "Configured"
    UPGRADED = "Upgraded"
    APPS_INSTALLED = "AppsInstalled"
    WORKLOADS_READY = "WorkloadsReady"
    CERTIFICATE_READY = "CertificateReady"
    ROUTED = "Routed"
    SERVING = "Serving"
    DELETED = "Deleted"
    """Present only while the object is being deleted."""


ADVISORY: frozenset[str] = frozenset({BenchCondition.SITES_UPGRADED, SiteCondition.UPGRADED})
"""Conditions that may be false while the object is ready."""
