"""The cache and the queue of a bench: two Redis servers with one password."""

import re
import string

import msgspec

from frappe_operator.components.metadata import metadata, selector
from frappe_operator.components.pod import (
    CACHE,
    CONTAINER_SECURITY,
    LAST_LINES,
    mount,
    pull_secrets,
    scratch,
    secret_volume,
    template,
)
from frappe_operator.components.service import service
from frappe_operator.components.volume import claim_template
from frappe_operator.kube.objects import Manifest
from frappe_operator.kube.secret_body import SecretBody
from frappe_operator.model.bench import Bench

PORT = 6379


PLAIN = frozenset(string.ascii_letters + string.digits)


def word(text: str) -> str:
    """`text` as one quoted word of redis.conf."""
    # Redis accepts every byte as \x and its code; letters and digits remain readable.
    return '"' + "".join(chr(each) if chr(each) in PLAIN else f"\\x{each:02x}" for each in text.encode()) + '"'


def secret(bench: Bench, password: str) -> list[Manifest]:
    """The Secret with the password: plain for the clients, and as a configuration file for the servers."""
    return [
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": metadata(bench.owner, bench.names.redis, "redis"),
            "stringData": {"password": password, "redis.conf": f"requirepass {word(password)}\n"},
        }
    ]


def agreement(body: bytes) -> bytes:
    """The part of the Secret that may be cached, as JSON: its metadata, and whether its keys have the same password."""
    found = msgspec.json.decode(body, type=SecretBody)
    return msgspec.json.encode({"metadata": found.metadata, "agree": _agree(found.data)})


def _agree(data: dict[str, bytes]) -> bool:
    password, conf = (data.get(key, b"").decode(errors="replace") for key in ("password", "redis.conf"))
    # The runner removes trailing newlines as well.
    password = password.rstrip("\r\n")
    required = [line.split(None, 1)[1].strip() for line in conf.splitlines() if re.match(r"\s*requirepass\s+\S", line)]
    spellings = [word(password)]
    if not re.search(r"[\s\\'\"]", password):
        spellings += [password, f'"{password}"', f"'{password}'"]
    return bool(password) and required[-1:] != [] and required[-1] in spellings


def build(bench: Bench) -> list[Manifest]:
    """StatefulSet and Service of both servers."""
    names = bench.names
    return [
        *_server(
            bench,
            names.redis_cache,
            "redis-cache",
            [
                "--maxmemory",
                bench.redis.max_memory,
                "--maxmemory-policy",
                "allkeys-lru",
                "--save",
                "",
                "--appendonly",
                "no",
            ],
            volumes=[scratch("data")],
        ),
        *_server(
            bench,
            names.redis_queue,
            "redis-queue",
            ["--maxmemory-policy", "noeviction", "--save", "", "--appendonly", "yes"],
            claims=[claim_template("data", bench.redis.volume)],
        ),
    ]


def _server(
    bench: Bench,
    name: str,
    part: str,
    options: list[str],
    volumes: list[Manifest] | None = None,
    claims: list[Manifest] | None = None,
) -> list[Manifest]:
    pod: Manifest = {
        **pull_secrets(bench.image.pull_secrets),
        "containers": [
            {
                "name": "redis",
                "image": bench.redis.image,
                # The password is in a file, because other processes can read the command line.
                "command": ["redis-server", "/run/secrets/frappe-operator/redis.conf", "--dir", "/data", *options],
                "ports": [{"name": "redis", "containerPort": PORT}],
                "readinessProbe": {"tcpSocket": {"port": "redis"}, "periodSeconds": 5},
                "livenessProbe": {"tcpSocket": {"port": "redis"}, "periodSeconds": 20, "failureThreshold": 6},
                "resources": bench.redis.resources,
                "terminationMessagePolicy": LAST_LINES,
                "securityContext": CONTAINER_SECURITY,
                "volumeMounts": [
                    mount("data", "/data"),
                    mount("password", "/run/secrets/frappe-operator", read_only=True),
                ],
            }
        ],
        "volumes": [secret_volume("password", bench.names.redis, "redis.conf"), *(volumes or [])],
    }
    spec: Manifest = {
        "serviceName": name,
        "replicas": 1,
        "selector": {"matchLabels": selector(bench.owner, part)},
        "template": template(bench.owner, part, CACHE, pod, secret_revision=bench.redis.revision),
    }
    if claims:
        spec["volumeClaimTemplates"] = claims
    return [
        service(bench.owner, name, part, {"name": "redis", "port": PORT, "targetPort": "redis"}),
        {
            "apiVersion": "apps/v1",
            "kind": "StatefulSet",
            "metadata": metadata(bench.owner, name, part),
            "spec": spec,
        },
    ]
