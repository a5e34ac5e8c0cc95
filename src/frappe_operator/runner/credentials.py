"""Secrets: read from mounted files, registered for redaction, and removed from all output."""

import json
import re
from typing import Any, NamedTuple
from urllib.parse import quote, unquote

from . import paths
from .outcome import Blocked

_known: set[str] = set()
NO_TLS = "none"


class Connection(NamedTuple):
    """Address and login of a MariaDB server, and optionally a database on it."""

    host: str
    port: int
    username: str
    password: str
    database: str = ""
    tls: str = ""
    """File with the certificates of the authorities that may have signed that of the server, which must be for its
    host; NO_TLS for an unencrypted connection; empty: the programs decide."""


def learn(value: str) -> None:
    """Registers a secret for redaction, in every encoding in which programs may print it."""
    escaped = value.replace("\\", "\\\\")
    spellings = {value, quote(value, safe=""), json.dumps(value)[1:-1], escaped.replace("'", "\\'")}
    _known.update(spelling for spelling in spellings if spelling.strip())


def learn_config(config: dict[str, Any]) -> None:
    """Registers the secrets in the configuration of a site or bench, including passwords in URLs."""
    for key, value in config.items():
        if isinstance(value, str) and re.search(r"password|secret|token|_key$", key):
            learn(value)
        elif isinstance(value, str) and (match := re.match(r"\w+://[^/@]*:([^/@]+)@", value)):
            learn(unquote(match[1]))


def redacted(text: str) -> str:
    """The text with every registered secret replaced by `***`."""
    for secret in sorted(_known, key=len, reverse=True):
        text = text.replace(secret, "***")
    return text


def redis_password() -> str:
    """The password of the bench's Redis. Raises Blocked when there is none."""
    return _secret("redis", "password")


def admin_password() -> str:
    """The initial password of the site's Administrator. Raises Blocked when there is none."""
    if not (paths.SECRETS / "admin" / "password").exists():
        raise Blocked(
            "SecretNotFound", "The site cannot be created: there is no Secret with the password of Administrator"
        )
    return _secret("admin", "password")


def database() -> Connection:
    """The connection to the site's own database as its own user. Raises Blocked when the Secret is incomplete."""
    group = "database"
    return Connection(
        # An IPv6 address as in a URL.
        _plain(group, "host").removeprefix("[").removesuffix("]"),
        _port(group),
        _plain(group, "username"),
        _secret(group, "password"),
        _plain(group, "database"),
    )


def database_admin() -> Connection:
    """The connection to the bench's own MariaDB as root. Raises Blocked when the Secret is incomplete."""
    group = "database-admin"
    return Connection(_plain(group, "host"), _port(group), _plain(group, "username"), _secret(group, "password"))


def database_ca() -> str:
    """The certificates in the key ca.crt of the Secret of a database; empty without the key. Raises Blocked."""
    try:
        return (paths.SECRETS / "database" / "ca.crt").read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return ""
    except UnicodeDecodeError:
        raise Blocked("SecretInvalid", "Key ca.crt of the database Secret is not UTF-8 text") from None


def git() -> dict[str, str]:
    """The content of the Secret of a git repository, by key. Raises Blocked when it is not text."""
    found: dict[str, str] = {}
    for file in (paths.SECRETS / "git").iterdir():
        if file.is_file():
            try:
                found[file.name] = file.read_text(encoding="utf-8").strip()
            except UnicodeDecodeError:
                raise Blocked("SecretInvalid", f"Key {file.name} of the git Secret is not UTF-8 text") from None
    for key in ("password", "token", "ssh-privatekey"):
        if value := found.get(key):
            learn(value)
            for line in value.splitlines():
                learn(line)
    return found


def _secret(group: str, key: str) -> str:
    value = _plain(group, key)
    learn(value)
    return value


def _plain(group: str, key: str) -> str:
    try:
        # `kubectl create secret --from-file` and `echo` leave a newline that nobody means.
        value = (paths.SECRETS / group / key).read_text(encoding="utf-8").rstrip("\r\n")
    except FileNotFoundError:
        value = ""
    except UnicodeDecodeError:
        raise Blocked("SecretInvalid", f"Key {key} of the {group} Secret is not UTF-8 text") from None
    if not value:
        raise Blocked("SecretInvalid", f"The {group} Secret has no key {key}, or it is empty: add it")
    if any(ord(character) < 32 for character in value):
        raise Blocked("SecretInvalid", f"Key {key} of the {group} Secret contains a line break or control character")
    return value


def _port(group: str) -> int:
    port = _plain(group, "port")
    if not port.isascii() or not port.isdigit() or not 0 < int(port) < 65536:
        raise Blocked(
            "SecretInvalid", f"Key port of the {group} Secret is {port}: must be a number between 1 and 65535"
        )
    return int(port)
