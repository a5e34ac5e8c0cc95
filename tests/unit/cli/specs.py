"""Generated specs of both kinds: valid ones, and ones with a plausible mistake in one field."""

from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st

from frappe_operator.api import crd
from frappe_operator.api.kinds import BENCH, SITE
from frappe_operator.kube.kinds import Kind
from frappe_operator.kube.objects import Manifest
from tests.docs import invalid_values

ODD_TEXT = [
    *("", " ", "-", ".", "..", "../..", "/", "~", "null", "None", "true", "0", "-1", "1.0", "default", "localhost"),
    *(
        "a" * 63,
        "a" * 64,
        "a" * 300,
        "é",
        "💥",
        "\u202e",
        "a\nb",
        "a\0b",
        "$(id)",
        "${x}",
        "{{x}}",
        "%s",
        "'",
        '"',
        "*",
    ),
]
ODD: list[Any] = [None, True, False, 0, -1, 1.5, 10**30, float("inf"), [], {}, [[]], {"": ""}, {"name": "a"}]

AMOUNTS: Sequence[Any] = [
    *("1.5m", "0.1", "50m", "2", 1, 2, "0.5", "1.50", "0.0001", "1.0000000000000001", "0", 0, "0m", "999999999m"),
]
BYTES: Sequence[Any] = [
    *("64Mi", "128Mi", "1Gi", "1.5Gi", "0.3Gi", "1.0001Mi", "1048576.5", "1536000000", 2**30, "1G", "0.7G", "1T"),
    *("1024Pi", "999P", "0", "123456789012", "1152921504606846975.5"),
]
SIZES: Sequence[Any] = ["5Gi", "10Gi", "1.5Gi", "0.1Ti", "1000M", 2**31, "1048576", "1048576.1", "1024Pi", "1.0001Gi"]
NAMES: Sequence[Any] = ["fast", "standard-rwo", "a.b.c", "9", "x" * 63]
IMAGES: Sequence[Any] = [
    *("redis:7", "registry:5000/x", "registry.example.com/a/b_c/d--e:v1.2", f"a@sha256:{'0' * 64}", "docker.io/x:A_b"),
]
HOSTS: Sequence[Any] = [
    *("shop.example.com", "Shop.Example.COM", "shop.example.com.", "a", "xn--bcher-kva.example", "10.0.0.7.nip.io"),
    *("0x.example", ".".join(["a" * 63] * 3 + ["b" * 61]), "default", "1a", "www.example.com"),
]

FINE: dict[str, Sequence[Any]] = {
    "frappeVersion": ["version-15", "v15.51.1", "v16.0.0-dev", "develop", "15", "version-16-hotfix", "build_7", "150"],
    "apps[].gitUrl": ["https://example.net/a/b.git", "ssh://git@example.net:22/~a/b-c"],
    "apps[].gitBranch": ["main", "version-15", "feature/a_b"],
    "apps[].version": ["v1.2.3", "0123456789abcdef0123456789abcdef01234567"],
    "appsJSON": [
        '[{"url": "https://example.net/a"}]',
        '[{"name": "crm", "branch": "main"}]',
        "[]",
        '["erpnext"]',
        ' [ {"name":"hrms","source":"image"},\n"crm"] ',
        '["crm", "crm"]',
        '["frappe"]',
    ],
    "apps": [[], [{"name": "erpnext"}, {"name": "hrms", "source": "image"}], [{"name": "frappe"}]],
    "imageConfig.repository": ["registry:5000/x", "erp", "registry.example.com/a_b/c.d", "a--b/c"],
    "imageConfig.tag": ["v1", "_x", "A.b-c", "1" * 128],
    "imageConfig.digest": [f"sha256:{'0a' * 32}"],
    "imageConfig.pullSecrets": [[], [{"name": "a"}], [{"name": "a"}, {"name": "b.c"}]],
    "redisConfig.image": IMAGES,
    "databaseConfig.image": IMAGES,
    "redisConfig.maxMemory": ["512Mi", "4gb", "1g", "1024k", "3GiB", "999999kb", "1048576KB"],
    "domainConfig.suffix": [".example.com", ".a", "." + "b" * 63, "." + ".".join(["c" * 60] * 3)],
    "siteName": ["shop.example.com", "a", "shop", "1shop", "default", "2024", "a" * 63, ".".join(["d" * 49] * 5)],
    "apps[].name": ["erpnext", "hrms", "frappe", "a" * 64],
    "apps[]": ["erpnext", "hrms", "frappe", "a_1"],
    "domain": HOSTS,
    "aliases": [
        [],
        [*HOSTS[:3]],
        ["b.example", "B.example.", "c.example"],
        [f"h{n}.example" for n in range(32)],
        ["*.B.example."],
    ],
    "redirects": [[], ["old.example", "Older.example."], ["*.old.example"]],
    "domainConfig.autoDetect": [False],
    "domainConfig.allowWildcards": [True, True, False],
    "domainConfig.ingressControllerRef": [{"name": "controller", "namespace": "ingress"}],
    "domainConfig.ipSuffix": ["nip.io", "sslip.io"],
    "ingress.annotations": [{}, {"nginx.ingress.kubernetes.io/limit-rps": "20"}],
    "tls": [{}, {"enabled": True}, {"secretName": "web"}, {"clusterIssuer": "letsencrypt", "hstsMaxAge": 600}],
    "tls.issuer": ["web"],
    "proxy.bodySize": ["64Ki", "100Mi", 2**20, "10Gi"],
    "dbConfig": [
        {},
        {"mode": "shared"},
        {"mode": "external", "connectionSecretRef": {"name": "tides"}},
        {"mode": "external", "connectionSecretRef": {"name": "tides"}, "tls": "required"},
        {"mode": "dedicated"},
        {"mode": "dedicated", "storageSize": "50Gi", "resources": {"requests": {"cpu": "1", "memory": "2Gi"}}},
        {"mode": "dedicated", "image": "mariadb:11.4", "storageClassName": "fast", "resources": {"limits": {"cpu": 2}}},
    ],
    "dbConfig.mode": ["shared", "dedicated"],
    "benchRef.name": ["pier"],
    "benchRef.namespace": ["default"],
}
"""Valid and possibly valid values, by field."""

NOT_ALONE = {
    (BENCH, "apps[]"),
    (BENCH, "apps[].source"),
    *((kind, f"ingress.{field}") for kind in (BENCH, SITE) for field in ("gatewayRef", "gatewayRef.name")),
    *((kind, f"ingress.gatewayRef.{field}") for kind in (BENCH, SITE) for field in ("namespace", "sectionName")),
    (SITE, "dbConfig.connectionSecretRef"),
    (SITE, "dbConfig.connectionSecretRef.name"),
    *((SITE, f"dbConfig.{field}") for field in ("image", "storageSize", "storageClassName", "resources", "tls")),
    *((SITE, f"dbConfig.resources.{part}") for part in ("requests", "limits")),
    *((SITE, f"dbConfig.resources.{part}.<cpu>") for part in ("requests", "limits")),
    *(
        (kind, f"componentHPA.{component}.behavior.{direction}.policies[].{field}")
        for kind, components in ((BENCH, ("gunicorn", "socketio", "nginx")), (SITE, ("gunicorn", "socketio")))
        for component in components
        for direction in ("scaleUp", "scaleDown")
        for field in ("type", "value", "periodSeconds")
    ),
}
"""Fields that are invalid without another field."""


def _fine(field: str, schema: Manifest) -> Sequence[Any]:
    if "enum" in schema:
        return list(schema["enum"])
    if schema.get("type") == "integer":
        return [schema["minimum"], 1, schema["maximum"]]
    if field.endswith((".requests", ".limits")):
        return [{}, {"cpu": "1.5m", "memory": "0.3Gi"}, {"memory": "128Mi", "ephemeral-storage": "1Gi"}, {"cpu": 2}]
    if field.endswith(".enabled"):
        return [True, False]
    if field.endswith(".policies"):
        return [[{"type": "Pods", "value": 1, "periodSeconds": 60}]]
    if field.startswith("componentHPA.") and field.count(".") == 1:
        return [{"enabled": True}, {"enabled": True, "minReplicas": 2, "targetMemoryUtilization": 90}]
    if field.endswith("ize"):
        return SIZES
    if field.endswith(("Name", ".name")):
        return NAMES
    return ()


def fields(kind: Kind) -> dict[str, Manifest]:
    """Every field of a spec, with its schema."""
    found: dict[str, Manifest] = {}

    def walk(schema: Manifest, here: str) -> None:
        for name, inner in schema.get("properties", {}).items():
            field = f"{here}.{name}".removeprefix(".")
            found[field] = inner
            walk(inner, field)
            if "items" in inner:
                found[f"{field}[]"] = inner["items"]
                walk(inner["items"], f"{field}[]")
            if "additionalProperties" in inner:
                for key in ("cpu", "memory", "ephemeral-storage"):
                    found[f"{field}.<{key}>"] = inner["additionalProperties"]

    walk(crd.schema(kind)["properties"]["spec"], "")
    return found


def _pools(kind: Kind) -> list[tuple[str, list[Any], list[Any]]]:
    """By field: its name, valid values and odd values."""
    pools = []
    for field, schema in fields(kind).items():
        fine = [*(FINE.get(field) or _fine(field, schema))]
        if (kind, field) == (SITE, "apps"):
            fine = [[], ["erpnext"], ["hrms", "frappe"]]
        if (kind, field) in NOT_ALONE:
            fine = []
        if field.endswith(">"):
            fine = [*(AMOUNTS if field.endswith("<cpu>") else BYTES)]
        bad = [value for value, _ in invalid_values.INVALID[kind].get(field, [])]
        pools.append((field, fine, [*bad, *ODD, *ODD_TEXT]))
    return pools


TEXT = st.text("aA19.-_:/@ é[]{}\"'KMGkmgib", max_size=12)


def specs(kind: Kind) -> st.SearchStrategy[Manifest]:
    """Specs with the required fields and a few others; in some specs one field has an odd value."""
    pools = _pools(kind)
    settable = [pool for pool in pools if pool[1]]
    fine = st.tuples(st.sampled_from(settable), st.integers(0, 63)).map(
        lambda drawn: (drawn[0][0], drawn[0][1][drawn[1] % len(drawn[0][1])])
    )
    odd = st.tuples(st.sampled_from(pools), st.integers(0, 255)).map(
        lambda drawn: (drawn[0][0], drawn[0][2][drawn[1] % len(drawn[0][2])])
    )
    text = st.tuples(st.sampled_from([pool[0] for pool in pools]), TEXT)
    some = st.lists(fine, max_size=6)
    strange = st.tuples(some, st.one_of(odd, text)).map(lambda drawn: [*drawn[0], drawn[1]])
    return st.one_of(*[some] * 5, strange).map(lambda drawn: _built(kind, drawn))


def _built(kind: Kind, drawn: Sequence[tuple[str, Any]]) -> Manifest:
    spec: Manifest = invalid_values.MINIMAL[kind]
    for field, value in drawn:
        spec = invalid_values.with_value(spec, field, value)
    return spec


COMPONENTS = {
    "gunicorn": "gunicorn",
    "socketio": "socketio",
    "scheduler": "scheduler",
    "workerDefault": "worker-default",
    "workerLong": "worker-long",
    "workerShort": "worker-short",
}
"""Components of a site: by their name in a spec, the suffix of the name of the Deployment."""
BENCHES, SITES = specs(BENCH), specs(SITE)
