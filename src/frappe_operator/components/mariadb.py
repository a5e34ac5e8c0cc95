"""A MariaDB server, of a bench or of a site with `mode: dedicated`: one pod, one volume, one root password."""

from collections.abc import Iterable
from typing import NamedTuple

from frappe_operator.api.labels import COMPONENT_LABEL
from frappe_operator.components.metadata import labels, metadata, retained, selector
from frappe_operator.components.pod import (
    CONTAINER_SECURITY,
    DATABASE,
    LAST_LINES,
    mount,
    pull_secrets,
    scratch,
    secret_volume,
    template,
)
from frappe_operator.components.service import service
from frappe_operator.components.volume import claim_template
from frappe_operator.kube.live import Condition
from frappe_operator.kube.names import GROUP, RETAINED_LABEL
from frappe_operator.kube.objects import Manifest
from frappe_operator.kube.reasons import Reason
from frappe_operator.kube.stage import Verdict
from frappe_operator.model.bench import Bench, MariaDB
from frappe_operator.model.conditions import SiteCondition
from frappe_operator.model.owner import Owner
from frappe_operator.model.reasons import FrappeReason
from frappe_operator.model.site import Site

PART, DEDICATED_PART = "mariadb", "dedicated-mariadb"
"""Components: the server of a bench, and the server of a site."""
SERVER_LABEL = f"{GROUP}/server"
"""Label of the pod of a server of a site: the name of the server."""
CLAIM = "data"
"""Name of the claim in the StatefulSet."""
PORT = 3306
SOCKET = "/run/mysqld/mysqld.sock"
ROOT = "/run/mysqld/root.cnf"

ENTRY = rf"""
# The data directory is made beside its place and moved there whole, so that a killed start leaves nothing half-made.
# The password goes from its file into another file: no program has it on its command line.
umask 077
if [ ! -d /var/lib/mysql/data ]; then
  rm -rf /var/lib/mysql/new
  mariadb-install-db --no-defaults --datadir=/var/lib/mysql/new --auth-root-authentication-method=normal \
    --skip-test-db >&2
  mv /var/lib/mysql/new /var/lib/mysql/data
fi
# A text of SQL escapes a backslash and a quote: an administrator may have put a password of his own there.
password=$(sed 's/[\\'"'"']/\\&/g; q' /run/secrets/frappe-operator/password)
cat > /run/mysqld/init.sql <<SQL
ALTER USER 'root'@'localhost' IDENTIFIED BY '$password';
CREATE USER IF NOT EXISTS 'root'@'%' IDENTIFIED BY '$password';
ALTER USER 'root'@'%' IDENTIFIED BY '$password';
GRANT ALL PRIVILEGES ON *.* TO 'root'@'%' WITH GRANT OPTION;
CREATE USER IF NOT EXISTS 'health'@'localhost';
SQL
password=$(sed 's/[\\"]/\\&/g; q' /run/secrets/frappe-operator/password)
cat > {ROOT} <<CNF
[client]
user=root
password="$password"
CNF
unset password
exec mariadbd --no-defaults --datadir=/var/lib/mysql/data --init-file=/run/mysqld/init.sql \
  --socket={SOCKET} --pid-file=/run/mysqld/mysqld.pid --tmpdir=/tmp --bind-address=0.0.0.0 --port={PORT} \
  --skip-name-resolve --character-set-server=utf8mb4 --collation-server=utf8mb4_unicode_ci \
  --skip-character-set-client-handshake"""
"""The script of the container, to which `_options` adds what differs from one server to another."""

AVAILABLE_REASONS = (Reason.READY, Reason.SUCCEEDED, FrappeReason.DATABASE_UNAVAILABLE)
"""Reasons of the condition DatabaseReady that show that MariaDB is available, or has been."""

PROBE = ["mariadb-admin", "--no-defaults", f"--socket={SOCKET}", "-u", "health", "ping"]


STARTED = ["mariadb-admin", f"--defaults-file={ROOT}", f"--socket={SOCKET}", "status"]
"""Startup probe: root logs in with the password in the Secret. `ping` would succeed with a rejected login as well."""


def has_been_available(conditions: Iterable[Condition]) -> bool:
    """Whether MariaDB has been available before, by the conditions of a bench or site; otherwise it is starting for the
    first time."""
    return any(each.type == SiteCondition.DATABASE_READY and each.reason in AVAILABLE_REASONS for each in conditions)


class Server(NamedTuple):
    """A server, and whose it is."""

    owner: Owner
    part: str
    mariadb: MariaDB
    pull_secrets: tuple[str, ...]
    selects: dict[str, str]
    """The labels that select its pod."""
    claim_labels: dict[str, str]
    """Labels of its claim."""


def of_bench(bench: Bench) -> Server:
    """The server of a bench."""
    return Server(
        bench.owner, PART, bench.mariadb, bench.image.pull_secrets, selector(bench.owner, PART), claim_labels={}
    )


def of_site(site: Site, server: MariaDB) -> Server:
    """The server of a site alone."""
    owner = site.owner
    # Not the label of the site: its other pods run on the node of the pods with that label, where its files are, and
    # the end of those pods is waited for. The component differs from that of the bench's server, whose Service selects
    # by bench and component.
    selects = {SERVER_LABEL: server.name, COMPONENT_LABEL: DEDICATED_PART}
    claim_labels = {**labels(owner, DEDICATED_PART), RETAINED_LABEL: "true"}
    return Server(owner, DEDICATED_PART, server, site.image.pull_secrets, selects, claim_labels)


def secret(server: Server, password: str) -> list[Manifest]:
    """The Secret with the password of root."""
    return [
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": retained(server.owner, server.mariadb.root, server.part),
            "stringData": {
                "host": f"{server.mariadb.name}.{server.owner.namespace}.svc",
                "port": str(PORT),
                "username": "root",
                "password": password,
            },
        }
    ]


def _options(mariadb: MariaDB) -> str:
    pool = f" --innodb-buffer-pool-size={mariadb.buffer_pool}" if mariadb.buffer_pool else ""
    return f" --max-connections={mariadb.max_connections}{pool}\n"


def available(verdict: Verdict, *, answered: bool, root_secret: str = "") -> Verdict:
    """The verdict on the StatefulSet of a server, with another reason if the server has been available: then it does
    not start for the first time. `answered`: whether it has. `root_secret`: the Secret whose new password of root it
    restarts with, empty without one."""
    if verdict.reason != Reason.PODS_NOT_READY or not (answered or root_secret):
        return verdict
    why = f"is restarting with the new password of root in Secret {root_secret}" if root_secret else "is not available"
    return Verdict(False, FrappeReason.DATABASE_UNAVAILABLE, f"MariaDB {why}: {verdict.message}")


def build(server: Server) -> list[Manifest]:
    """StatefulSet and Service of the server."""
    owner, part, mariadb = server.owner, server.part, server.mariadb
    pod: Manifest = {
        "terminationGracePeriodSeconds": 120,
        **pull_secrets(server.pull_secrets),
        "containers": [
            {
                "name": "mariadb",
                "image": mariadb.image,
                "command": ["sh", "-ec", ENTRY + _options(mariadb)],
                "ports": [{"name": "mysql", "containerPort": PORT}],
                "startupProbe": {
                    "exec": {"command": STARTED},
                    "periodSeconds": 2,
                    "timeoutSeconds": 5,
                    "failureThreshold": 300,
                },
                "readinessProbe": {
                    "exec": {"command": PROBE},
                    "periodSeconds": 5,
                    "timeoutSeconds": 5,
                    "failureThreshold": 2,
                },
                "livenessProbe": {
                    "exec": {"command": PROBE},
                    "periodSeconds": 10,
                    "timeoutSeconds": 5,
                    "failureThreshold": 18,
                },
                "resources": mariadb.resources,
                "terminationMessagePolicy": LAST_LINES,
                "securityContext": CONTAINER_SECURITY,
                "volumeMounts": [
                    mount("data", "/var/lib/mysql"),
                    mount("run", "/run/mysqld"),
                    mount("tmp", "/tmp"),
                    mount("password", "/run/secrets/frappe-operator", read_only=True),
                ],
            }
        ],
        "volumes": [
            scratch("run", memory=True),
            scratch("tmp"),
            secret_volume("password", mariadb.root, "password"),
        ],
    }
    return [
        service(
            owner,
            mariadb.name,
            part,
            {"name": "mysql", "port": PORT, "targetPort": "mysql"},
            selects=server.selects,
        ),
        {
            "apiVersion": "apps/v1",
            "kind": "StatefulSet",
            "metadata": metadata(owner, mariadb.name, part),
            "spec": {
                "serviceName": mariadb.name,
                "replicas": 1,
                "selector": {"matchLabels": server.selects},
                "template": template(
                    owner, part, DATABASE, pod, secret_revision=mariadb.revision, selects=server.selects
                ),
                "volumeClaimTemplates": [claim_template(CLAIM, mariadb.volume, server.claim_labels)],
            },
        },
    ]
