"""Limits of requests to a site, with every default applied."""

from msgspec import Struct

from frappe_operator.api import proxy as api
from frappe_operator.kube.quantities import amount


class Limits(Struct, frozen=True):
    """Limits of requests."""

    body_bytes: int = 50 * 2**20
    """Size of the largest body of a request."""
    read_seconds: int = 120
    """Seconds until a request that has not been answered is given up."""


DEFAULT = Limits()


def limits(declared: api.Proxy | None, bench: api.Proxy | None) -> Limits:
    """The limits of a site: what it declares, otherwise what its bench does, field by field."""
    sections = [each for each in (declared, bench) if each is not None]
    size = next((each.body_size for each in sections if each.body_size is not None), None)
    seconds = next((each.read_timeout for each in sections if each.read_timeout is not None), None)
    try:
        size_bytes = DEFAULT.body_bytes if size is None else int(amount(str(size)))
    except ValueError:
        # A CustomResourceDefinition of another version may accept it.
        size_bytes = DEFAULT.body_bytes
    return Limits(size_bytes, seconds or DEFAULT.read_seconds)


def widest(each: list[Limits]) -> Limits:
    """Limits that let every request through that any of these do."""
    all_of = [DEFAULT, *each]
    return Limits(max(one.body_bytes for one in all_of), max(one.read_seconds for one in all_of))
