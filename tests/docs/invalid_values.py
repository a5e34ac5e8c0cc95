"""Invalid values for every field of both kinds, each with a part of its message."""

from collections.abc import Iterator
from typing import Any

from frappe_operator.api import crd
from frappe_operator.api.kinds import BENCH, SITE
from frappe_operator.kube.kinds import Kind

AMOUNT = "must be a quantity such as 5Gi, 512Mi, 500m or 2"
VOLUME = "must be between 1Mi and 1024Pi"
OBJECT = "must be the name of a Kubernetes object"
TAG = "must be an image tag"
IMAGE = "must be an image name such as registry.example.com/mariadb:10.11"
HOST = "must be a host name such as shop.example.com, without scheme, port or path"
IN_ASCII = "must be in ASCII: write an internationalised name in punycode, such as xn--bcher-kva.example"
WILDCARD = "a wildcard stands for the whole first label before a domain of at least two"
ADDRESS = "must be a host name, not an IP address: use a name that resolves to the address"
APP = "must be the name of the app's Python package"
BYTES = "memory and ephemeral-storage are in bytes and must be at least 1Mi"
ABOVE = "a request must not exceed the limit of the same resource"
NAMES = "only cpu, memory and ephemeral-storage are supported"
COUNT = "in body should be less than or equal to 1000"
APPS_JSON = "must be a JSON list of app names"
GIT_URL = "must be an https or ssh URL of a git repository"
GIT_NAME = "must be the name of a branch or tag or a full commit id"
MEMORY = "must be an amount of memory with a unit, such as 512Mi or 4gb"
CACHE = "must be between 1Mi and 1024Ti"
IN_TAG = "set imageConfig.tag or imageConfig.digest"
OBJECT_TYPE = "must be of type object"
DURATION = "must be a number with a unit: s, m, h or d, such as 30m or 6h"
CLOCK = "must be a time of the day such as 22:30"
ZONE = "must be the name of a time zone such as Europe/Berlin"

Words = tuple[Any, str]

AMOUNTS: dict[str, list[Words]] = {
    "": [([], OBJECT_TYPE), ({"requests": {"cpu": 2}, "limits": {"cpu": "1500m"}}, ABOVE)],
    "requests": [({"cpus": 1}, NAMES), ({"memory": "512m"}, BYTES), ({"memory": 512}, BYTES)],
    "limits": [({"nvidia.com/gpu": 1}, NAMES), ({"ephemeral-storage": "1k"}, BYTES)],
    "requests.<cpu>": [("-1", AMOUNT), ("1 Gi", AMOUNT), (-1, AMOUNT), (1.5, "must be of type integer,string")],
    "limits.<cpu>": [("1e3", AMOUNT), ("9" * 32, "must be at most 1024Pi"), ("05", AMOUNT)],
}
COMPONENTS = (
    *("gunicorn", "socketio", "scheduler", "workerDefault", "workerLong", "workerShort"),
    *("frontDoor", "layout", "jobs"),
)
COUNTED = ("gunicorn", "workerDefault", "workerLong", "workerShort")
SIZE: list[Words] = [("5 GB", AMOUNT), (0, VOLUME), ("0", VOLUME), (5, VOLUME), ("500m", VOLUME), ("2000P", VOLUME)]
NAME: list[Words] = [("", OBJECT), ("A b", OBJECT), ("a" * 254, "Too long: may not be more than 253 bytes")]


def amounts(before: str) -> dict[str, list[Words]]:
    """Invalid values for the resources of one component."""
    return {f"{before}.{field}".rstrip("."): wrong for field, wrong in AMOUNTS.items()}


def sizing(*more: str) -> dict[str, list[Words]]:
    """Invalid values for componentReplicas and componentResources. `more`: components that only a bench has."""
    found: dict[str, list[Words]] = {"componentReplicas": [([], OBJECT_TYPE)], "componentResources": [(1, OBJECT_TYPE)]}
    for component in (*COUNTED, *(each for each in more if each == "nginx")):
        found[f"componentReplicas.{component}"] = [(1001, COUNT), (-1, "greater than or equal to 0"), ("2", "integer")]
    found["componentReplicas.socketio"] = [(6, "less than or equal to 5"), (0.5, "must be of type integer")]
    for component in (*COMPONENTS, *more):
        found |= amounts(f"componentResources.{component}")
    return found


def front_door() -> dict[str, list[Words]]:
    """Invalid values for ingress and tls, which both kinds have."""
    return {
        "ingress": [
            ({"type": "None", "className": "inner"}, "className belongs to type: Ingress"),
            ({"type": "None", "annotations": {}}, "annotations belong to type: Ingress"),
            ({"gatewayRef": {"name": "public"}}, "gatewayRef belongs to type: Gateway"),
        ],
        "ingress.type": [("none", 'supported values: "Gateway", "Ingress", "None"')],
        "ingress.className": NAME,
        "ingress.annotations": [
            ("a: b", OBJECT_TYPE),
            (dict.fromkeys("abcdefghijklmnopqrstuvwxyzABCDEFG", ""), "at most 32 items"),
        ],
        "ingress.annotations.<cpu>": [(1, "must be of type string"), ("x" * 4097, "Too long")],
        "ingress.gatewayRef": [("public", OBJECT_TYPE)],
        "ingress.gatewayRef.name": NAME,
        "ingress.gatewayRef.namespace": NAME,
        "ingress.gatewayRef.sectionName": NAME,
        "proxy": [("200Mi", OBJECT_TYPE)],
        "proxy.bodySize": [("200 MB", AMOUNT), ("1k", "between 64Ki and 10Gi"), ("11Gi", "between 64Ki and 10Gi")],
        "proxy.readTimeout": [
            (9, "greater than or equal to 10"),
            (3601, "less than or equal to 3600"),
            ("5m", "integer"),
        ],
        "tls": [({"issuer": "a", "clusterIssuer": "b"}, "set only one of them"), ("on", OBJECT_TYPE)],
        "tls.enabled": [("yes", "must be of type boolean")],
        "tls.secretName": NAME,
        "tls.issuer": NAME,
        "tls.clusterIssuer": NAME,
        "tls.hstsMaxAge": [(0, "greater than or equal to 1"), (63072001, "less than or equal to 63072000")],
    }


PERCENT: list[Words] = [(0, "greater than or equal to 1"), (1001, COUNT), ("70%", "must be of type integer")]
RANGE = "minReplicas must not exceed maxReplicas: lower minReplicas or raise maxReplicas"


def autoscaling(*components: str) -> dict[str, list[Words]]:
    """Invalid values for componentHPA."""
    found: dict[str, list[Words]] = {"componentHPA": [(True, OBJECT_TYPE)]}
    for component in components:
        here = f"componentHPA.{component}"
        too_many: Words = (6, "less than or equal to 5") if component == "socketio" else (1001, COUNT)
        found |= {
            here: [({"enabled": True, "minReplicas": 3, "maxReplicas": 2}, RANGE), (True, OBJECT_TYPE)],
            f"{here}.enabled": [("yes", "must be of type boolean")],
            f"{here}.minReplicas": [(0, "greater than or equal to 1"), too_many],
            f"{here}.maxReplicas": [(0, "greater than or equal to 1"), too_many, ("many", "must be of type integer")],
            f"{here}.targetCPUUtilization": PERCENT,
            f"{here}.targetMemoryUtilization": PERCENT,
            f"{here}.behavior": [("slow", OBJECT_TYPE)],
        }
        for direction in ("scaleUp", "scaleDown"):
            rules = f"{here}.behavior.{direction}"
            found |= {
                rules: [(0, OBJECT_TYPE)],
                f"{rules}.stabilizationWindowSeconds": [(-1, "greater than or equal to 0"), (3601, "equal to 3600")],
                f"{rules}.selectPolicy": [("max", 'supported values: "Disabled", "Max", "Min"')],
                f"{rules}.policies": [([], "must have a policy: remove policies"), ({}, "must be of type array")],
                f"{rules}.policies[].type": [("Percentage", 'supported values: "Percent", "Pods"')],
                f"{rules}.policies[].value": [(0, "greater than or equal to 1"), ("1", "must be of type integer")],
                f"{rules}.policies[].periodSeconds": [(0, "greater than or equal to 1"), (1801, "equal to 1800")],
            }
    return found


WEB_SERVER: dict[str, list[Words]] = {
    "gunicorn": [(2, OBJECT_TYPE)],
    "gunicorn.workers": [(0, "greater than or equal to 1"), (65, "less than or equal to 64")],
    "gunicorn.threads": [(0, "greater than or equal to 1"), ("4", "must be of type integer")],
    "gunicorn.timeout": [(9, "greater than or equal to 10"), (3601, "less than or equal to 3600")],
    "gunicorn.maxRequests": [(-1, "greater than or equal to 0"), (1_000_001, "less than or equal to 1000000")],
}


INVALID: dict[Kind, dict[str, list[Words]]] = {
    BENCH: {
        "frappeVersion": [
            ("version 15", TAG),
            ("version-14", "Frappe versions before 15 are not supported"),
            ("v" * 129, "Too long"),
        ],
        "appsJSON": [
            ("[erpnext]", APPS_JSON),
            ("", APPS_JSON),
            ("[" * 8000, APPS_JSON),
            ('["--force"]', APPS_JSON),
            ('[{"name": "crm", "source": "fpm"}]', APPS_JSON),
            ('[{"name": "crm", "commit": "abc"}]', APPS_JSON),
            ('["cr\u00e9m"]', APPS_JSON),
            ('["c\0"]', APPS_JSON),
            ('[{"name": "crm", "branch": "main", "url": "http://example.net/crm"}]', GIT_URL),
            ('[{"name": "crm", "url": "https://user:word@example.net/crm"}]', GIT_URL),
            ('[{"name": "crm", "url": "ext::sh -c reboot"}]', GIT_URL),
            ('[{"name": "crm", "branch": "--upload-pack=reboot"}]', GIT_NAME),
            ('[{"gitUrl" : 5, "name": "crm"}]', APPS_JSON),
            ("\u00e9" * 16385, "Too long: may not be more than 16384 bytes"),
        ],
        "apps": [([{"name": "crm"}, {"name": "crm"}], "Duplicate value"), ("crm", "must be of type array")],
        "apps[].name": [("Crm", APP), (15, "must be of type string")],
        "apps[].source": [("fpm", 'supported values: "git", "image"')],
        "apps[].gitUrl": [
            ("http://example.net/crm", GIT_URL),
            ("git@example.net:crm", GIT_URL),
            ("https://user:word@example.net/crm", GIT_URL),
            ("ssh://-oProxyCommand=reboot/crm", GIT_URL),
            ("file:///srv/crm", GIT_URL),
            ("https://example.net", GIT_URL),
        ],
        "apps[].gitBranch": [("-b", GIT_NAME), ("a..b", GIT_NAME), ("", GIT_NAME), ("a b", GIT_NAME)],
        "apps[].version": [("--depth", GIT_NAME), ("v1:x", GIT_NAME)],
        "apps[].authSecretRef": [("login", OBJECT_TYPE)],
        "apps[].authSecretRef.name": NAME,
        "gitConfig": [(False, OBJECT_TYPE)],
        "gitConfig.enabled": [("no", "must be of type boolean")],
        "imageConfig": [("frappe/erpnext", OBJECT_TYPE)],
        "imageConfig.repository": [
            ("registry.example.com/erp:v1", IN_TAG),
            ("registry.example.com:5000/erp:", IN_TAG),
            (f"registry.example.com/erp@sha256:{'0' * 64}", IN_TAG),
            ("registry.example.com/Erp", "must be an image name without a tag"),
            ("https://registry.example.com/erp", "must be an image name without a tag"),
            ("registry.example.com//erp", "must be an image name without a tag"),
        ],
        "imageConfig.tag": [("v15:1", TAG), ("", TAG)],
        "imageConfig.digest": [("abc", "must be sha256: followed by 64 hexadecimal digits")],
        "imageConfig.pullPolicy": [("always", 'supported values: "Always", "IfNotPresent", "Never"')],
        "imageConfig.pullSecrets": [([{"name": "a"}, {"name": "a"}], "Duplicate value")],
        "imageConfig.pullSecrets[].name": NAME,
        **sizing("nginx", "redis"),
        **autoscaling("gunicorn", "socketio", "nginx"),
        **WEB_SERVER,
        "redisConfig": [("redis:7", OBJECT_TYPE)],
        "redisConfig.image": [("redis:", IMAGE), ("Redis:7", IMAGE), ("redis:7:7", IMAGE), ("redis@sha256:0", IMAGE)],
        "redisConfig.maxMemory": [("512", MEMORY), ("many", MEMORY), ("512k", CACHE), ("99999999999999g", CACHE)],
        "redisConfig.storageSize": SIZE,
        "redisConfig.storageClassName": NAME,
        "storage": [([], OBJECT_TYPE)],
        "storage.size": SIZE,
        "storage.storageClassName": NAME,
        "storage.accessMode": [("RWX", 'supported values: "Auto", "ReadWriteMany", "ReadWriteOnce"')],
        "upgrade": [("Manual", OBJECT_TYPE)],
        "upgrade.strategy": [("manual", 'supported values: "Automatic", "Manual"')],
        "upgrade.maxConcurrent": [(0, "greater than or equal to 1"), (1001, COUNT), ("2", "integer")],
        "upgrade.canary": [("shop", "must be of type array"), (["a", "a"], "Duplicate value")],
        "upgrade.canary[]": NAME,
        "upgrade.pauseAfterCanary": [
            ("30", DURATION),
            ("1w", DURATION),
            ("0m", DURATION),
            (30, "must be of type string"),
        ],
        "upgrade.maxFailures": [(-1, "greater than or equal to 0"), (1001, COUNT)],
        "upgrade.window": [({"start": "22:00", "end": "22:00"}, "start and end are equal"), ([], OBJECT_TYPE)],
        "upgrade.window.days": [("Monday", "must be of type array"), (["Monday", "Monday"], "Duplicate value")],
        "upgrade.window.days[]": [("Mon", 'supported values: "Friday", "Monday"')],
        "upgrade.window.start": [("9:00", CLOCK), ("24:00", CLOCK)],
        "upgrade.window.end": [("09:60", CLOCK), (900, "must be of type string")],
        "upgrade.window.timeZone": [("Europe/", ZONE), ("../etc", ZONE)],
        "upgrade.migrationTimeout": [("6 h", DURATION), ("h", DURATION)],
        "upgrade.drainTimeout": [("soon", DURATION)],
        "upgrade.keepDumps": [(-1, "greater than or equal to 0"), (21, "less than or equal to 20")],
        "trustedProxies": [("10.0.0.0/8", "must be of type array"), (["10.0.0.0/8"] * 33, "at most 32 items")],
        "trustedProxies[]": [
            *((bad, "must be a network such as") for bad in ("ingress", "10.0.0.7", "10.0.0.0/33", "fd00::1::2/64")),
            ("0.0.0.0/0", "every address (/0) is not allowed"),
            ("::/0", "every address (/0) is not allowed"),
        ],
        "domainConfig": [(".example.com", OBJECT_TYPE)],
        "domainConfig.suffix": [
            ("example.com", "must be a dot followed by a domain in lowercase"),
            (".10.0.0.7", ADDRESS),
        ],
        "databaseConfig": [("mariadb", OBJECT_TYPE)],
        "databaseConfig.image": [("mariadb:10.11 ", IMAGE), ("registry.example.com:5000/", IMAGE)],
        "databaseConfig.storageSize": SIZE,
        "databaseConfig.storageClassName": NAME,
        **amounts("databaseConfig.resources"),
        "siteTemplates": [("on", "must be of type object")],
        "siteTemplates.enabled": [("yes", "must be of type boolean")],
        **front_door(),
        "domainConfig.autoDetect": [
            (True, "autoDetect needs ingressControllerRef"),
            ("yes", "of type boolean"),
        ],
        "domainConfig.allowWildcards": [("yes", "of type boolean")],
        "domainConfig.ingressControllerRef": [("controller", OBJECT_TYPE)],
        "domainConfig.ingressControllerRef.name": NAME,
        "domainConfig.ingressControllerRef.namespace": NAME,
        "domainConfig.ipSuffix": [(".nip.io", "must be a domain in lowercase"), ("10.0.0.7", ADDRESS)],
    },
    SITE: {
        "benchRef": [("pier", OBJECT_TYPE)],
        "benchRef.name": NAME,
        "benchRef.namespace": NAME,
        "siteName": [
            ("Shop.example.com", "must be a host name in lowercase"),
            ("a" * 64, "must be a host name in lowercase"),
            ("b\u00fccher.example.com", IN_ASCII),
            ("10.0.0.7", "siteName is an IP address: use a host name that resolves to it"),
            ("assets", "siteName is a name that Frappe reserves"),
        ],
        "apps": [(["crm", "crm"], "Duplicate value"), ("crm", "must be of type array")],
        "apps[]": [("CRM", APP)],
        "domain": [
            ("https://shop.example.com/", HOST),
            ("shop_1.example.com", HOST),
            ("shop.example.com..", HOST),
            ("b\u00fccher.example.com", IN_ASCII),
            ("*.example.com", "the primary host name cannot be a wildcard: list the wildcard in aliases"),
            ("", HOST),
            ("10.0.0.7", ADDRESS),
            ("1.2.3.4.", ADDRESS),
            (".".join(["a" * 63] * 3 + ["b" * 62]), "must be at most 253 characters"),
        ],
        "release": [("", "must be an image, its tag"), ("v1 v2", "must be an image, its tag")],
        "aliases": [(["a.example.com", "a.example.com"], "Duplicate value")],
        "aliases[]": [
            *((bad, WILDCARD) for bad in ("*.com", "a.*.example.com", "*shop.example.com", "*", "*.*.example.com")),
            ("*.b\u00fccher.example.com", IN_ASCII),
            ("a b.example.com", HOST),
            ("10.0.0.7", ADDRESS),
            ("shop.0x7F", ADDRESS),
        ],
        "redirects": [(["a.example.com", "a.example.com"], "Duplicate value")],
        "redirects[]": [("https://a.example.com", HOST), ("**.example.com", WILDCARD), ("10.0.0.7", ADDRESS)],
        **front_door(),
        "dbConfig": [
            ({"mode": "external"}, "connectionSecretRef is required with mode: external"),
            ({"mode": "dedicated", "connectionSecretRef": {"name": "t"}}, "connectionSecretRef is required with mode:"),
            ({"storageSize": "5Gi"}, "storageSize belongs to mode: dedicated"),
            ({"mode": "shared", "storageClassName": "fast"}, "storageClassName belongs to mode: dedicated"),
            ({"resources": {}}, "resources belongs to mode: dedicated"),
            ({"mode": "dedicated", "tls": "required"}, "tls belongs to mode: external"),
            (
                {"mode": "external", "connectionSecretRef": {"name": "t"}, "image": "mariadb"},
                "image belongs to mode: dedicated",
            ),
        ],
        "dbConfig.tls": [("on", 'supported values: "disabled", "preferred", "required"')],
        "dbConfig.image": [("mariadb:10.11 ", IMAGE)],
        "dbConfig.storageSize": SIZE,
        "dbConfig.storageClassName": NAME,
        **amounts("dbConfig.resources"),
        "dbConfig.provider": [("mysql", 'supported values: "mariadb"')],
        "dbConfig.mode": [("own", 'supported values: "dedicated", "external", "shared"')],
        "dbConfig.connectionSecretRef": [("tides", OBJECT_TYPE)],
        "dbConfig.connectionSecretRef.name": NAME,
        **sizing(),
        **autoscaling("gunicorn", "socketio"),
        **WEB_SERVER,
        "storage": [([], OBJECT_TYPE)],
        "storage.size": SIZE,
        "storage.storageClassName": NAME,
        "storage.accessMode": [("Auto", 'supported values: "ReadWriteMany", "ReadWriteOnce"')],
        "ingressClassName": NAME,
        "deletionPolicy": [("Keep", 'supported values: "Delete", "Retain"')],
    },
}
MINIMAL: dict[Kind, dict[str, Any]] = {
    BENCH: {"frappeVersion": "v15"},
    SITE: {"benchRef": {"name": "pier"}, "siteName": "pearl.example.net"},
}


def fields(kind: Kind) -> Iterator[str]:
    """Every field of a spec, as INVALID names it."""
    yield from _fields(crd.schema(kind)["properties"]["spec"], "")


def _fields(schema: dict[str, Any], here: str) -> Iterator[str]:
    for name, inner in schema.get("properties", {}).items():
        field = f"{here}.{name}".removeprefix(".")
        yield field
        yield from _fields(inner, field)
    if "items" in schema:
        if "properties" not in schema["items"]:
            yield f"{here}[]"
        yield from _fields(schema["items"], f"{here}[]")
    if "additionalProperties" in schema:
        yield f"{here}.<cpu>"


def cases() -> Iterator[tuple[Kind, str, dict[str, Any], str]]:
    """For each invalid value: kind, field, a spec with the value in that field, and a part of the message."""
    for kind, table in INVALID.items():
        for field, values in table.items():
            for value, words in values:
                yield kind, field, with_value(MINIMAL[kind], field, value), words


def with_value(spec: dict[str, Any], field: str, value: Any) -> dict[str, Any]:
    """A spec with a value in a field. A field of list items is set in a list with one item."""
    step, _, rest = field.partition(".")
    name = step.strip("<>")
    if name.endswith("[]"):
        name = name.removesuffix("[]")
        return {**spec, name: [with_value({}, rest, value) if rest else value]}
    inner = spec.get(name)
    return {**spec, name: with_value(inner if isinstance(inner, dict) else {}, rest, value) if rest else value}
