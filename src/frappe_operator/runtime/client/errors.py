"""What the API server answers when it does not do what was asked."""

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
        """Whether the object is refused for being another than the one that was named."""
        causes = self.details.causes if self.details else None
        return any(cause.field == "metadata.uid" for cause in causes or ())


class AccessError(Exception):
    """There is no usable description of how to reach the API server. The message says what to do."""


class ApiError(Exception):
    """The API server refused. `reason` is its word, `message` its sentence."""

    def __init__(self, status: int, reason: str, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason
        self.message = message
        self.retry_after = retry_after
        """Seconds the server asks to be left alone for."""

    def __str__(self) -> str:
        return f"{self.status} {self.reason}: {self.message}"

    @property
    def passing(self) -> bool:
        """Whether the same question may well be answered later."""
        return self.status >= 500 or self.status in (401, 408, 409, 429)


class Forbidden(ApiError):
    """Not allowed: by RBAC, a quota, or an admission policy."""


class NotFound(ApiError):
    """There is no such object, or no such kind."""


class Conflict(ApiError):
    """The object is not the one that was meant any more: another resourceVersion, another UID."""


class AlreadyExists(Conflict):
    """There is an object of that name."""


class Gone(ApiError):
    """The resourceVersion is too old to go on from."""


class Invalid(ApiError):
    """The object breaks a rule of its kind; the message says which."""


class TooManyRequests(ApiError):
    """The server is busy."""


_BY_STATUS: Mapping[int, type[ApiError]] = {
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    410: Gone,
    422: Invalid,
    429: TooManyRequests,
}


def error_from(status: int, headers: Mapping[str, str], body: bytes) -> ApiError:
    """The error an answer stands for."""
    try:
        said = msgspec.json.decode(body, type=_Status)
    except msgspec.MsgspecError:
        # A proxy's page, or a body that was cut: its beginning is better than nothing.
        said = _Status(message=body[:200].decode(errors="replace"))
    after = headers.get("Retry-After", "")
    made = AlreadyExists if said.reason == "AlreadyExists" else _BY_STATUS.get(status, ApiError)
    if made is Invalid and said.about_uid:
        # The server calls it an attempt to change the UID. We name one to say which object is meant.
        status, made = 409, Conflict
    return made(status, said.reason, said.message, float(after) if after.isdigit() else None)
