"""Settings of the web server of a site."""

from msgspec import Struct
from msgspec.structs import fields

from frappe_operator.api.scaling import Gunicorn
from frappe_operator.model.precedence import first


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
    found = {field.name: first(declared, field.name) for field in fields(WebServer)}
    return WebServer(**{name: value for name, value in found.items() if value is not None})
