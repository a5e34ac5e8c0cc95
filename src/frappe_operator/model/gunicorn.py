"""Settings of the web server of a site."""

from typing import Any

from msgspec import Struct
from msgspec.structs import fields

from frappe_operator.api.scaling import Gunicorn


class WebServer(Struct, frozen=True):
    """The decided settings of gunicorn; the defaults are those of this class."""

    workers: int = 2
    threads: int = 4
    timeout: int = 120
    """In seconds."""
    max_requests: int = 0
    """Number of requests after which a worker process is replaced; 0: never."""


def web_server(*declared: Gunicorn | None) -> WebServer:
    """The settings of gunicorn: each from the first of `declared` that sets it, otherwise the default."""
    found: dict[str, Any] = {}
    for field in fields(WebServer):
        named = (getattr(each, field.name) for each in declared if each is not None)
        value = next((each for each in named if each is not None), None)
        if value is not None:
            found[field.name] = value
    return WebServer(**found)
