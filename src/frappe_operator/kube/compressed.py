"""Compression of cached statuses, which contain much text that is nearly the same in every object.

A typical status is the preset dictionary (RFC 1950) of the compression. A better match makes the result smaller; the
content of the dictionary has no other effect.
"""

import zlib

import msgspec

_SAMPLES = (
    ("StorageReady", "True", "Ready", "All volumes can be mounted."),
    ("ImageReady", "True", "Ready", "Frappe 15.0.0 with frappe, erpnext"),
    ("CacheReady", "True", "Ready", "All pods are ready."),
    ("ProxyReady", "True", "Ready", "All pods are ready."),
    ("BenchReady", "True", "Ready", "FrappeBench bench provides what the site needs."),
    ("DatabaseReady", "True", "Succeeded", "Job site-database has succeeded."),
    ("SiteCreated", "True", "Succeeded", "Job site-create has succeeded."),
    ("Configured", "True", "Ready", "The site has the address http://example.com and the credentials of site-db."),
    ("AppsInstalled", "True", "Succeeded", "Job site-apps has succeeded."),
    ("WorkloadsReady", "True", "Ready", "All pods are ready."),
    ("Routed", "True", "Ready", "Every proxy pod routes example.com."),
    ("Serving", "True", "Ready", "http://example.com responds."),
    ("Ready", "True", "Ready", "All conditions are true."),
    ("Reconciling", "False", "Ready", "The object is up to date."),
    ("Stalled", "False", "Ready", "The object is not blocked."),
)
"""Type, status, reason and message of typical conditions."""


def _dictionary() -> bytes:
    conditions = [
        # In alphabetical order, as the API server writes them.
        {
            "lastTransitionTime": "2026-01-01T00:00:00Z",
            "message": message,
            "observedGeneration": 1,
            "reason": reason,
            "status": status,
            "type": name,
        }
        for name, status, reason, message in _SAMPLES
    ]
    status = {
        "adminSecret": "site-admin",
        "benchReady": True,
        "conditions": conditions,
        "databaseName": "_",
        "databaseReady": True,
        "dbConnectionSecret": "site-db",
        "domainSource": "bench",
        "frappeVersion": "15.0.0",
        "image": {"apps": {"erpnext": "15.0.0", "frappe": "15.0.0"}, "frappeVersion": "15.0.0", "python": "3.11"},
        "installedApps": ["frappe", "erpnext"],
        "observedGeneration": 1,
        "phase": "Ready",
        "resolvedDomain": "example.com",
        "secretRevisions": {"mariadb": "", "redis": ""},
        "siteURL": "http://example.com",
    }
    return msgspec.json.encode(status)


_DICTIONARY = _dictionary()
_RAW = -zlib.MAX_WBITS
"""A raw stream without checksum, because the data never leaves the process."""


def pack(status: bytes) -> bytes:
    """Compresses a status in JSON."""
    packer = zlib.compressobj(3, zlib.DEFLATED, _RAW, zdict=_DICTIONARY)
    return packer.compress(status) + packer.flush()


def unpack(packed: bytes) -> bytes:
    """Decompresses a status to the JSON that `pack` was given."""
    return zlib.decompressobj(_RAW, _DICTIONARY).decompress(packed)
