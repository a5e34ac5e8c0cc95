"""Passwords and sessions, both kept in the site's database."""

import base64
import hashlib
import json
import secrets

from frappe.database import Database
from frappe.exceptions import AuthenticationError, ValidationError
from frappe.schema import add_row

GUEST = "Guest"
ROUNDS = 29000


def set_password(database: Database, user: str, password: str) -> None:
    """Give the user a password, in place of the one it may have."""
    database.sql(
        "REPLACE INTO `__Auth` (doctype, name, fieldname, `password`, encrypted) "
        "VALUES ('User', %s, 'password', %s, 0)",
        user,
        _hash(password, secrets.token_bytes(16), ROUNDS),
    )


def log_in(database: Database, user: str, password: str, address: str) -> str:
    """A new session's id. Raises AuthenticationError when user and password do not belong together."""
    found = database.value("SELECT name FROM `tabUser` WHERE (name = %s OR email = %s) AND enabled = 1", user, user)
    stored = found and database.value(
        "SELECT `password` FROM `__Auth` WHERE name = %s AND fieldname = 'password'", found
    )
    right = bool(stored) and _verified(str(stored), password)
    add_row(
        database,
        "Activity Log",
        user=user[:140],
        operation="Login",
        status="Success" if right else "Failed",
        ip_address=address[:140],
    )
    if not right:
        database.commit()
        raise AuthenticationError("Invalid login credentials")
    sid = secrets.token_hex(28)
    database.sql(
        "INSERT INTO `tabSessions` (user, sid, sessiondata, ipaddress, lastupdate) VALUES (%s, %s, %s, %s, NOW(6))",
        found,
        sid,
        json.dumps({"user_type": "System User"}),
        address[:16],
    )
    return sid


def log_out(database: Database, sid: str) -> None:
    database.sql("DELETE FROM `tabSessions` WHERE sid = %s", sid)


def user_of(database: Database, sid: str | None) -> str:
    """Whose session it is, Guest for none. Raises ValidationError when that user is disabled or not yet made."""
    user = (sid and database.value("SELECT user FROM `tabSessions` WHERE sid = %s", sid)) or GUEST
    if not database.value("SELECT enabled FROM `tabUser` WHERE name = %s", user):
        raise ValidationError(f"User {user} is disabled. Please contact your System Manager.")
    return str(user)


def _verified(stored: str, password: str) -> bool:
    _, scheme, rounds, salt, _ = stored.split("$")
    decoded = base64.b64decode(salt + "=" * (-len(salt) % 4), b"./")
    return scheme == "pbkdf2-sha256" and secrets.compare_digest(stored, _hash(password, decoded, int(rounds)))


def _hash(password: str, salt: bytes, rounds: int) -> str:
    """The password as passlib's pbkdf2_sha256 writes it: base64 with a dot for the plus, and no padding."""
    checksum = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, rounds)
    words = [base64.b64encode(each, b"./").decode().rstrip("=") for each in (salt, checksum)]
    return f"$pbkdf2-sha256${rounds}${'$'.join(words)}"
