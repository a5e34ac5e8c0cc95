"""The errors that the API server answers with, as exceptions."""

from collections.abc import Mapping

import msgspec
from msgspec import Struct


class _Cause(Struct):
    field: str = ""


class _Details(Struct):
    causes: list[_Cause] | None = None


class _Status(Struct):
    reason: str = ""
    message: str = ""
    details: _Details | None = None

    @property
    def about_uid(self) -> bool:
        """Whether the request is refused because the object has another UID than the one that was named."""
        causes = self.details.causes if self.details else None
        return any(cause.field == "metadata.uid" for cause in causes or ())


class AccessError(Exception):
    """There is no usable description of how to reach the API server. The message says what to do."""


class ApiError(Exception):
    """The API server has refused a request. `reason` and `message` are those of its Status."""

    def __init__(self, status: int, reason: str, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason
        self.message = message
        self.retry_after = retry_after
        """The seconds of the Retry-After header."""

    def __str__(self) -> str:
        return f"{self.status} {self.reason}: {self.message}"

    @property
    def transient(self) -> bool:
        """Whether the same request may succeed later."""
        return self.status >= 500 or self.status in (401, 408, 409, 429)


class Forbidden(ApiError):
    """Not allowed by RBAC, a quota or an admission policy."""


class NotFound(ApiError):
    """There is no such object, or no such kind."""


class Conflict(ApiError):
    """The object has another resourceVersion or UID than the request names."""


class AlreadyExists(Conflict):
    """An object of that name exists."""


class Gone(ApiError):
    """The resourceVersion is too old to continue a watch or a list from."""


class Invalid(ApiError):
    """The object violates a validation rule; the message says which."""


class TooManyRequests(ApiError):
    """The server is overloaded."""


_BY_STATUS: Mapping[int, type[ApiError]] = {
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    410: Gone,
    422: Invalid,
    429: TooManyRequests,
}


def error_from(status: int, headers: Mapping[str, str], body: bytes) -> ApiError:
    """The exception for an answer of the API server."""
    try:
        found = msgspec.json.decode(body, type=_Status)
    except msgspec.MsgspecError:
        # The page of a proxy, or a truncated body: its beginning is better than nothing.
        found = _Status(message=body[:200].decode(errors="replace"))
    after = headers.get("Retry-After", "")
    made = AlreadyExists if found.reason == "AlreadyExists" else _BY_STATUS.get(status, ApiError)
    if made is Invalid and found.about_uid:
        # The server calls it an attempt to change the UID. The request names a UID to say which object it is about.
        status, made = 409, Conflict
    return made(status, found.reason, found.message, float(after) if after.isdigit() else None)
