"""Every kind that this operator owns. A new kind is a row here, beside its own package and its files in api and model.

The process, `render`, `validate` and `rbac` work on the rows alone.
"""

from collections.abc import Callable, Coroutine
from typing import Any, NamedTuple

from frappe_operator.api.kinds import BENCH, SITE
from frappe_operator.bench import controller as bench
from frappe_operator.bench import resolve as bench_resolve
from frappe_operator.kube.kinds import KindOf
from frappe_operator.kube.live import Custom
from frappe_operator.kube.stage import Failed, Stage
from frappe_operator.kube.view import View
from frappe_operator.model.settings import Images
from frappe_operator.runtime.client.fetch import Fetch
from frappe_operator.runtime.controller import Controller
from frappe_operator.site import controller as site
from frappe_operator.site import resolve as site_resolve


class Environment(NamedTuple):
    """What controllers need of the process they run in."""

    images: Images
    token: Callable[[], str]
    """Generates a password."""
    fetch: Fetch
    """Makes HTTP requests to proxies and sites."""


Decide = Callable[[View, Any, Images, Callable[[], str]], Coroutine[Any, Any, tuple[list[Stage], list[Failed]]]]
"""From an object to its stages and the checks that fail. Raises Undecided."""


class OwnKind(NamedTuple):
    """One kind."""

    kind: KindOf[Custom]
    controller: Callable[[Environment], Controller]
    decide: Decide
    """The decisions of its reconcile, without the writes: for `render` and `validate`."""


OWN_KINDS: tuple[OwnKind, ...] = (
    OwnKind(BENCH, lambda it: bench.controller(it.images, it.token), bench_resolve.decide),
    OwnKind(SITE, lambda it: site.controller(it.images, it.token, it.fetch), site_resolve.decide),
)
"""In the order in which `render` prints them: what others refer to first."""


def controllers(environment: Environment) -> list[Controller]:
    """The controllers of all kinds."""
    return [each.controller(environment) for each in OWN_KINDS]
