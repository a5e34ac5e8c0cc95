"""The database of a site: engine, name, and the Secret with the connection."""

import re
from collections.abc import Mapping
from typing import Literal

import msgspec
from msgspec import Struct

from frappe_operator.api.frappesite import DbConfig, FrappeSiteSpec
from frappe_operator.api.kinds import LiveSite, readable_spec
from frappe_operator.kube.names import GROUP, digest
from frappe_operator.kube.reasons import Reason
from frappe_operator.kube.secret_body import SecretBody
from frappe_operator.model.bench import RWO, MariaDB, Names, Volume
from frappe_operator.model.image import Facts
from frappe_operator.model.mariadb_sizing import memory_settings
from frappe_operator.model.sizing import quantity, resources

EngineName = Literal["built-in", "dedicated", "external"]
"""built-in: the bench's MariaDB, in which the operator creates the database. dedicated: a MariaDB of the site alone, in
which it does the same. external: the user's own database."""
BUILT_IN: EngineName = "built-in"
DEDICATED: EngineName = "dedicated"
EXTERNAL: EngineName = "external"

SERVER_KIND_LABEL = f"{GROUP}/database-server"
"""Label of the claim for files and of the connection Secret of a site with `mode: dedicated`: the kind of its server,
which is decided once. No label: the site has no server of its own."""
STATEFUL_SET = "StatefulSet"
"""The kind of server that the operator runs itself."""
SERVER_KINDS: Mapping[str, EngineName] = {STATEFUL_SET: DEDICATED}
"""The engine of `mode: dedicated`, by the recorded kind of server."""

_FINGERPRINT = re.compile("[0-9a-f]{8}")
SECRET_KEYS = ("host", "port", "database", "username", "password")
"""Required keys of a connection Secret."""


class Database(Struct, frozen=True):
    """The resolved database of a site. The password is in the Secret and nowhere else."""

    engine: EngineName
    secret: str
    name: str
    host: str
    username: str
    revision: str
    """Changes with the connection Secret; empty while the generated Secret does not exist yet."""
    tls: str = ""
    """TLS to an external database, as in the spec; empty for the default."""
    server_kind: str = ""
    """Kind of the server that the site has alone, as it is recorded; empty for a site without one."""
    server: MariaDB | None = None
    """The server that the operator runs for the site alone; None for a site without one."""


class Connection(Struct, frozen=True):
    """A connection Secret of the user, without its password."""

    secret: str
    host: str
    port: str
    database: str
    username: str
    revision: str


def engine(spec: FrappeSiteSpec, server_kind: str | None = None) -> EngineName:
    """The engine of a site's database. `server_kind`: the recorded kind of its server, None before it is decided."""
    config = spec.db_config
    # The CRD requires connectionSecretRef with mode: external, and allows it with no other mode.
    if config is None or config.connection_secret_ref:
        return EXTERNAL if config else BUILT_IN
    return SERVER_KINDS.get(server_kind or "", DEDICATED) if config.mode == DEDICATED else BUILT_IN


def needs_mariadb(live: LiveSite) -> bool:
    """Whether the database of the site is in the MariaDB of its bench."""
    spec = readable_spec(live)
    return spec is not None and engine(spec) == BUILT_IN


def built_in(bench: Names, secret: str, namespace: str, name: str, origin: str, revision: str) -> Database:
    """The database of the site `namespace/name` in the MariaDB of its bench.

    `secret`: name of the connection Secret. `revision`: its revision, empty while it does not exist. `origin`:
    fingerprint of the FrappeSite that created the data."""
    database = database_of(namespace, name, origin)
    return Database(BUILT_IN, secret, database, f"{bench.mariadb}.{namespace}.svc", database, revision)


def server(config: DbConfig, name: str, root: str, image: str, revision: str) -> MariaDB:
    """The MariaDB of a site alone. `image`: the default. `revision`: of the Secret with the password of root, empty
    while it does not exist. Raises Blocked for an amount that is not a quantity."""
    amounts = resources("mariadb", config.resources)
    settings = memory_settings(amounts)
    return MariaDB(
        name=name,
        root=root,
        image=config.image or image,
        volume=Volume(quantity("dbConfig.storageSize", config.storage_size or "10Gi"), config.storage_class_name, RWO),
        resources=amounts,
        revision=revision,
        max_connections=settings.max_connections,
        buffer_pool=settings.buffer_pool,
    )


def dedicated(
    server: MariaDB, secret: str, namespace: str, name: str, origin: str, revision: str, server_kind: str | None
) -> Database:
    """The database of the site `namespace/name` in its own MariaDB. `server_kind`: as it is recorded, None before it is
    decided. The other arguments are those of `built_in`."""
    database = database_of(namespace, name, origin)
    host = f"{server.name}.{namespace}.svc"
    kind = STATEFUL_SET if server_kind is None else server_kind
    return Database(DEDICATED, secret, database, host, database, revision, server_kind=kind, server=server)


def mode_problem(engine: EngineName, server_kind: str | None, secret: str, claim: str) -> str:
    """A message when the data of the site is in a database of another mode, which an earlier FrappeSite of this name
    has left; empty otherwise. `server_kind`: as `claim` or `secret` records it."""
    give_up = f"To give the data up, delete the Secret {secret} and the PersistentVolumeClaim {claim}"
    if engine == BUILT_IN and server_kind:
        return (
            "An earlier FrappeSite of this name has left its data, with a database in a MariaDB server of its own: "
            f"create this FrappeSite with dbConfig.mode: dedicated to use it again. {give_up}"
        )
    if engine == DEDICATED and server_kind == "":
        return (
            "An earlier FrappeSite of this name has left its data, with a database that is not in a MariaDB server of "
            f"its own: create this FrappeSite with the dbConfig of that one to use it again. {give_up}"
        )
    if engine == DEDICATED and server_kind not in (None, *SERVER_KINDS):
        return (
            f"PersistentVolumeClaim {claim} records that the site has a database server of the kind {server_kind}, "
            "which this version of the operator cannot run: use the version that created it"
        )
    return ""


def external(connection: Connection, recorded: str, tls: str = "") -> Database:
    """The database of the user. `recorded`: its name in the status, for a Secret without the key `database`. `tls`: as
    in the spec, empty for the default."""
    name = connection.database or recorded
    return Database(
        EXTERNAL, connection.secret, name, connection.host, connection.username, connection.revision, tls=tls
    )


def database_name(namespace: str, name: str, uid: str) -> str:
    """Name of the database of a site and of its database user, 26 characters long.

    It begins with a fingerprint of namespace and name, so that the credentials of a tenant cannot name a database of
    another namespace, and ends with a fingerprint of the UID. Frappe 15 uses it as user name too.
    """
    return database_of(namespace, name, mark(uid))


def database_of(namespace: str, name: str, origin: str) -> str:
    """Name of the database that the FrappeSite with the fingerprint `origin` created."""
    return f"{_database_prefix(namespace, name)}{origin}"


def mark(uid: str) -> str:
    """Fingerprint of a FrappeSite with this UID: the end of the name of its database, and `Site.origin`."""
    return digest(uid, 8)


def is_mark(text: str) -> bool:
    """Whether `text` has the format of the fingerprint of a FrappeSite."""
    return _FINGERPRINT.fullmatch(text) is not None


def is_our_database(database: str, namespace: str, name: str) -> bool:
    """Whether `database` is a name that the operator generates for a site of this namespace and name."""
    prefix = _database_prefix(namespace, name)
    return database.startswith(prefix) and is_mark(database.removeprefix(prefix))


def _database_prefix(namespace: str, name: str) -> str:
    return f"_{digest(f'{namespace}/{name}', 16)}_"


def without_password(body: bytes) -> bytes:
    """The part of a connection Secret that may be cached, as JSON: a placeholder replaces the password. Annotations are
    left out, because kubectl stores a copy of the whole Secret there."""
    secret = msgspec.json.decode(body, type=SecretBody)
    data = {key: secret.data[key] for key in SECRET_KEYS if secret.data.get(key)}
    if "password" in data:
        data["password"] = b"there is one"
    return msgspec.json.encode(SecretBody(secret.metadata, data))


def connection_from(name: str, data: dict[str, str] | None, revision: str) -> Connection:
    """The connection in the decoded data of a Secret of the user. Missing keys are empty; `connection_problem` reports
    them."""
    host, port, database, username, _ = (_trimmed((data or {}).get(key, "")) for key in SECRET_KEYS)
    return Connection(name, host, port, database, username, revision)


def connection_problem(name: str, data: Mapping[str, str] | None, facts: Facts) -> tuple[Reason, str] | None:
    """Reason and message about the invalid decoded data of a connection Secret; None when it is valid for the Frappe
    version in `facts`. `data`: None when the Secret does not exist."""
    if data is None:
        return (
            Reason.SECRET_NOT_FOUND,
            f"Secret {name} does not exist: create it with the keys {', '.join(SECRET_KEYS)}",
        )
    values = {key: _trimmed(data.get(key, "")) for key in SECRET_KEYS}
    if absent := [key for key, value in values.items() if not value]:
        message = f"Secret {name} lacks {', '.join(absent)}: it needs the keys {', '.join(SECRET_KEYS)}"
    elif odd := [key for key, value in values.items() if not value.isprintable() or value != value.strip()]:
        message = (
            f"Secret {name}: {', '.join(odd)} begins or ends with a space, or contains a line break or another control "
            "character: remove it"
        )
    elif facts.major < 16 and values["username"] != values["database"]:
        message = (
            f"Secret {name}: Frappe {facts.frappe_version} uses the database name as user name, but username is "
            f"{values['username']} and database is {values['database']}: create a MariaDB user named like the "
            "database, or use Frappe 16"
        )
    else:
        return None
    return Reason.SECRET_INVALID, message


def _trimmed(value: str) -> str:
    """The value without trailing newlines, which `kubectl create secret --from-file` and `echo` leave."""
    return value.rstrip("\r\n")
