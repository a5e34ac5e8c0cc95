"""TLS to a database of the user.

It is one decision for three programs: the `mariadb` programs of the runner (sql.py), those that Frappe starts (an
option file that layout.py links into the home directory of the pod), and the driver of Frappe (site_config.json).
"""

import hashlib
import ssl
from pathlib import Path

from . import bench, credentials, durable, paths, sql
from .credentials import NO_TLS, Connection
from .log import say
from .outcome import Blocked

CLIENT_OPTIONS = "client.cnf"
"""The option file of the `mariadb` programs, in the folder of the operator in the directory of a site."""
MODES = ("required", "preferred", "disabled")


def secured(server: Connection, mode: str, patience: int, directory: Path | None = None) -> Connection:
    """The connection with TLS as the user asks for. Raises Blocked when it is required and not possible, and Retry.

    `mode`: one of MODES, or empty: required if the Secret has the key ca.crt, otherwise up to the programs.
    `directory`: that of the site, into which the certificates are copied; None while it does not exist.
    """
    pem = credentials.database_ca()
    if mode == "disabled":
        return server._replace(tls=NO_TLS)
    if not mode and not pem:
        return server
    if pem:
        _check(pem)
    encrypted = server._replace(tls=str(_file(pem, directory)))
    obstacle = _obstacle(encrypted, patience)
    if not obstacle:
        return encrypted
    if mode == "preferred":
        say(f"The connection to the database is not encrypted: {obstacle}")
        return server._replace(tls=NO_TLS)
    raise Blocked("DatabaseRefused", f"There is no TLS connection to {server.host}: {obstacle}")


def hand_over(directory: Path, server: Connection) -> None:
    """Writes the option file for the `mariadb` programs that Frappe starts on this site."""
    path, options = directory / paths.OURS / CLIENT_OPTIONS, sql.tls_options(server)
    if options:
        durable.write(path, "\n".join(["[client]", *options, ""]), 0o640)
    else:
        path.unlink(missing_ok=True)


def link(site: str) -> None:
    """Makes the `mariadb` programs of a pod read the option file of its site, also one that is written later."""
    if paths.HOME is None:
        return
    name, target = paths.HOME / ".my.cnf", paths.SITES / site / paths.OURS / CLIENT_OPTIONS
    if not name.is_symlink():
        name.symlink_to(target)


def _check(pem: str) -> None:
    try:
        ssl.create_default_context().load_verify_locations(cadata=pem)
    except (ssl.SSLError, ValueError):
        raise Blocked(
            "SecretInvalid", "Key ca.crt of the database Secret contains no certificate in PEM format: correct it"
        ) from None


def _file(pem: str, directory: Path | None) -> Path:
    """The file with the certificates of the authorities that are trusted: of the Secret, otherwise of the image."""
    if not pem:
        return paths.CERTIFICATES
    if directory is None:
        return paths.SECRETS / "database" / "ca.crt"
    # By content: the running site uses the file of before until its configuration names this one.
    path = directory / paths.OURS / f"database-ca-{hashlib.sha256(pem.encode()).hexdigest()[:8]}.pem"
    if not path.exists():
        durable.write(path, pem, 0o640)
    return path


def _obstacle(server: Connection, patience: int) -> str:
    """Why a connection is not encrypted and verified; empty when it is. Raises Retry."""
    if not Path(server.tls).exists():
        return "the Secret has no key ca.crt, and the image contains no certificates of public authorities: add ca.crt"
    if not bench.driver_verifies():
        return (
            f"Frappe {bench.version('frappe')} cannot verify the certificate of a server without a certificate of its "
            "own (db_ssl_ca alone): use a newer version"
        )
    try:
        sql.wait(server, patience)
        rows = sql.query(server, "SHOW SESSION STATUS LIKE 'Ssl_cipher';")
    except sql.Refused as refusal:
        if refusal.code != sql.TLS_FAILED:
            # The login that follows reports it.
            return ""
        return (
            f"{refusal.reported}. The key ca.crt of the Secret must contain the authority that signed the certificate "
            "of the server, and the certificate must be for the host in the Secret"
        )
    return "" if any(row[1:2] not in ([], [""]) for row in rows) else "the server does not offer TLS"
