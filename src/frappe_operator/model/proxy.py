"""Limits of requests to a site, with every default applied."""

from msgspec import Struct

from frappe_operator.api import proxy as api
from frappe_operator.kube.quantities import amount
from frappe_operator.model.precedence import first


class Limits(Struct, frozen=True):
    """Limits of requests."""

    body_bytes: int = 50 * 2**20
    """Size of the largest body of a request."""
    read_seconds: int = 120
    """Seconds until a request that has not been answered is given up."""


DEFAULT = Limits()


def limits(*declared: api.Proxy | None) -> Limits:
    """The limits of a site: each from the first of `declared` that sets it, otherwise the default."""
    size = first(declared, "body_size")
    try:
        size_bytes = DEFAULT.body_bytes if size is None else int(amount(str(size)))
    except ValueError:
        # A CustomResourceDefinition of another version may accept it.
        size_bytes = DEFAULT.body_bytes
    return Limits(size_bytes, first(declared, "read_timeout") or DEFAULT.read_seconds)


def widest(each: list[Limits]) -> Limits:
    """Limits that let every request through that any of these do."""
    all_of = [DEFAULT, *each]
    return Limits(max(one.body_bytes for one in all_of), max(one.read_seconds for one in all_of))
