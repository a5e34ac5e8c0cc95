"""The kinds that this operator owns. A new kind is a row here, with a package of its own and files in `api` and
`model`.

The process and the commands `render`, `validate` and `rbac` work on these rows alone.
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
from frappe_operator.model.host_claims import HostGrants
from frappe_operator.model.settings import Images
from frappe_operator.runtime.client.fetch import Fetch
from frappe_operator.runtime.controller import Controller
from frappe_operator.site import controller as site
from frappe_operator.site import resolve as site_resolve


class Environment(NamedTuple):
    """What the process provides to its controllers."""

    images: Images
    token: Callable[[], str]
    """Generates a password."""
    fetch: Fetch
    """Makes HTTP requests to proxies and sites."""
    hosts: HostGrants
    """What the controllers of benches and sites know of the hosts that they have given to sites."""


Decide = Callable[[View, Any, Images, Callable[[], str]], Coroutine[Any, Any, tuple[list[Stage], list[Failed]]]]
"""From an object to its stages and its failed checks. Raises Undecided when the object cannot be resolved."""


class OwnKind(NamedTuple):
    """A row of the registry: a kind, its controller, and its decisions without the writes."""

    kind: KindOf[Custom]
    controller: Callable[[Environment], Controller]
    decide: Decide
    """What `render` and `validate` call in place of a reconcile."""


OWN_KINDS: tuple[OwnKind, ...] = (
    OwnKind(BENCH, lambda it: bench.controller(it.images, it.token, it.hosts), bench_resolve.decide),
    OwnKind(SITE, lambda it: site.controller(it.images, it.token, it.fetch, it.hosts), site_resolve.decide),
)
"""In the order in which `render` prints them: kinds that others refer to come first."""


def controllers(environment: Environment) -> list[Controller]:
    """The controllers of all kinds."""
    return [each.controller(environment) for each in OWN_KINDS]
