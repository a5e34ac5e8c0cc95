"""The MariaDB of a bench: one server, one volume, one root password."""

from collections.abc import Iterable

from frappe_operator.components.metadata import metadata, retained, selector
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
from frappe_operator.kube.objects import Manifest
from frappe_operator.kube.reasons import Reason
from frappe_operator.model.bench import Bench
from frappe_operator.model.conditions import SiteCondition
from frappe_operator.model.reasons import FrappeReason

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
  --skip-character-set-client-handshake --max-connections=500
"""

AVAILABLE_REASONS = (Reason.READY, Reason.SUCCEEDED, FrappeReason.DATABASE_UNAVAILABLE)
"""Reasons of the condition DatabaseReady that show that MariaDB is available, or has been."""

PROBE = ["mariadb-admin", "--no-defaults", f"--socket={SOCKET}", "-u", "health", "ping"]


STARTED = ["mariadb-admin", f"--defaults-file={ROOT}", f"--socket={SOCKET}", "status"]
"""Startup probe: root logs in with the password in the Secret. `ping` would succeed with a rejected login as well."""


def has_been_available(conditions: Iterable[Condition]) -> bool:
    """Whether MariaDB has been available before, by the conditions of a bench or site; otherwise it is starting for the
    first time."""
    return any(each.type == SiteCondition.DATABASE_READY and each.reason in AVAILABLE_REASONS for each in conditions)


def secret(bench: Bench, password: str) -> list[Manifest]:
    """The Secret with the password of root."""
    return [
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": retained(bench.owner, bench.names.mariadb_root, "mariadb"),
            "stringData": {
                "host": f"{bench.names.mariadb}.{bench.owner.namespace}.svc",
                "port": str(PORT),
                "username": "root",
                "password": password,
            },
        }
    ]


def build(bench: Bench) -> list[Manifest]:
    """StatefulSet and Service of the server."""
    owner, name, part = bench.owner, bench.names.mariadb, "mariadb"
    pod: Manifest = {
        "terminationGracePeriodSeconds": 120,
        **pull_secrets(bench.image.pull_secrets),
        "containers": [
            {
                "name": "mariadb",
                "image": bench.mariadb.image,
                "command": ["sh", "-ec", ENTRY],
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
                "resources": bench.mariadb.resources,
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
            secret_volume("password", bench.names.mariadb_root, "password"),
        ],
    }
    return [
        service(owner, name, part, {"name": "mysql", "port": PORT, "targetPort": "mysql"}),
        {
            "apiVersion": "apps/v1",
            "kind": "StatefulSet",
            "metadata": metadata(owner, name, part),
            "spec": {
                "serviceName": name,
                "replicas": 1,
                "selector": {"matchLabels": selector(owner, part)},
                "template": template(owner, part, DATABASE, pod, secret_revision=bench.mariadb.revision),
                "volumeClaimTemplates": [claim_template("data", bench.mariadb.volume)],
            },
        },
    ]
