"""The errors that the API server returns, as Status objects."""

from typing import Any

from frappe_operator.kube.kinds import Kind, Ref
from frappe_operator.kube.objects import Manifest


class StatusError(Exception):
    """An answer that is not a success, as it goes over the wire."""

    def __init__(self, code: int, reason: str, message: str, **details: Any) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.message = message
        self.details = details
        self.headers: dict[str, str] = {}

    def status(self) -> Manifest:
        """The Status object of the answer."""
        return {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
            "reason": self.reason,
            **({"details": self.details} if self.details else {}),
            "code": self.code,
        }


def not_found(kind: Kind, name: str) -> StatusError:
    group = {"group": kind.group} if kind.group else {}
    word = f"{kind.plural}.{kind.group}" if kind.group else kind.plural
    return StatusError(404, "NotFound", f'{word} "{name}" not found', name=name, **group, kind=kind.plural)


def already_exists(ref: Ref) -> StatusError:
    word = f"{ref.kind.plural}.{ref.kind.group}" if ref.kind.group else ref.kind.plural
    return StatusError(409, "AlreadyExists", f'{word} "{ref.name}" already exists', name=ref.name, kind=ref.kind.plural)


def conflict(ref: Ref, why: str) -> StatusError:
    word = f"{ref.kind.plural}.{ref.kind.group}" if ref.kind.group else ref.kind.plural
    return StatusError(
        409,
        "Conflict",
        f'Operation cannot be fulfilled on {word} "{ref.name}": {why}',
        name=ref.name,
        kind=ref.kind.plural,
    )


def invalid(ref: Ref, field: str, why: str) -> StatusError:
    word = f"{ref.kind.kind}.{ref.kind.group}" if ref.kind.group else ref.kind.kind
    return StatusError(
        422,
        "Invalid",
        f'{word} "{ref.name}" is invalid: {field}: {why}',
        name=ref.name,
        kind=ref.kind.kind,
        causes=[{"reason": "FieldValueInvalid", "message": why, "field": field}],
    )


def forbidden(ref: Ref, why: str) -> StatusError:
    word = f"{ref.kind.plural}.{ref.kind.group}" if ref.kind.group else ref.kind.plural
    return StatusError(
        403, "Forbidden", f'{word} "{ref.name}" is forbidden: {why}', name=ref.name, kind=ref.kind.plural
    )


def bad_request(message: str) -> StatusError:
    return StatusError(400, "BadRequest", message)


def expired(message: str) -> StatusError:
    return StatusError(410, "Expired", message)
