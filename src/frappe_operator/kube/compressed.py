"""Statuses, kept small: they are many words, and nearly the same ones in every object.

What a status is likely to say is the dictionary (RFC 1950) that every one is packed with. It is the shorter the better
it fits, and nothing depends on its words.
"""

import zlib

import msgspec

_LIKELY = (
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
"""Type, status, reason and message of conditions."""


def _dictionary() -> bytes:
    conditions = [
        # In the order of the alphabet, as the API server writes them.
        {
            "lastTransitionTime": "2026-01-01T00:00:00Z",
            "message": message,
            "observedGeneration": 1,
            "reason": reason,
            "status": status,
            "type": name,
        }
        for name, status, reason, message in _LIKELY
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
"""Without a checksum: it never leaves the process."""


def pack(status: bytes) -> bytes:
    """A status as JSON, made small."""
    packer = zlib.compressobj(3, zlib.DEFLATED, _RAW, zdict=_DICTIONARY)
    return packer.compress(status) + packer.flush()


def unpack(packed: bytes) -> bytes:
    """The status that was packed."""
    return zlib.decompressobj(_RAW, _DICTIONARY).decompress(packed)
