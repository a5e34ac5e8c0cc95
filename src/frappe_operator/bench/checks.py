"""What can be wrong with a bench's spec: each check makes one condition false."""

from collections.abc import Callable

from frappe_operator.api.types import Resources
from frappe_operator.bench.observe import Observed
from frappe_operator.kube.reasons import Reason
from frappe_operator.kube.stage import Blocked, Verdict
from frappe_operator.model import bench as model
from frappe_operator.model import sizing
from frappe_operator.model.conditions import BenchCondition
from frappe_operator.model.image import refusal
from frappe_operator.model.redis_sizing import memory_problem

Check = Callable[[Observed], Verdict | None]


def spec_is_readable(observed: Observed) -> Verdict | None:
    """The spec keeps to the schema, which a CustomResourceDefinition of another version may not enforce."""
    if observed.spec_or_none is not None:
        return None
    return Verdict(False, Reason.INVALID_SPEC, f"spec: {observed.spec_error}", blocked=True)


PREMISES: tuple[Check, ...] = (spec_is_readable,)
"""Without them nothing about the bench can be decided: the first that fails ends the reconcile, and Ready says so."""


def apps_are_known(observed: Observed) -> Verdict | None:
    """The list of apps can be read."""
    try:
        model.apps(observed.spec)
    except Blocked as blocked:
        return blocked.verdict
    return None


def cache_fits(observed: Observed) -> Verdict | None:
    """The cache makes room before Redis is killed."""
    said = memory_problem(observed.spec)
    return Verdict(False, Reason.INVALID_SPEC, said, blocked=True) if said else None


def jobs_fit(observed: Observed) -> Verdict | None:
    """No request of the Job that inspects the image is above its limit."""
    asked = observed.spec.component_resources
    return _fits("jobs", asked.jobs if asked else None)


def image_may_reach_the_sites(observed: Observed) -> Verdict | None:
    """What was found in the image of the spec is not older than what the sites run, and has their apps."""
    refused = refusal(observed.recorded, observed.found, observed.used)
    return Verdict(False, *refused, blocked=True) if refused else None


def redis_has_one_password(observed: Observed) -> Verdict | None:
    """The servers are given the password that their clients use."""
    if not observed.redis_passwords_differ:
        return None
    message = (
        f"Secret {observed.names.redis}: the keys password and redis.conf contain different passwords, so nothing is "
        "restarted: write `requirepass <password>` into redis.conf, or delete the Secret to generate a new password"
    )
    return Verdict(False, Reason.SECRET_INVALID, message, blocked=True)


def redis_fits(observed: Observed) -> Verdict | None:
    """No request of Redis is above its limit."""
    asked = observed.spec.component_resources
    return _fits("redis", asked.redis if asked else None)


def mariadb_fits(observed: Observed) -> Verdict | None:
    """No request of MariaDB is above its limit."""
    asked = observed.spec.database_config
    return _fits("mariadb", asked.resources if asked else None)


def proxy_fits(observed: Observed) -> Verdict | None:
    """No request of the proxy is above its limit."""
    asked = observed.spec.component_resources
    return _fits("nginx", asked.nginx if asked else None)


def trusted_proxies_are_networks(observed: Observed) -> Verdict | None:
    """What is trusted to say where a visitor comes from can be written into the proxy's configuration."""
    said = model.trusted_proxies_problem(observed.spec)
    return Verdict(False, Reason.INVALID_SPEC, said, blocked=True) if said else None


def _fits(component: str, asked: Resources | None) -> Verdict | None:
    said = sizing.resources_problem(component, asked)
    return Verdict(False, Reason.INVALID_SPEC, said, blocked=True) if said else None


CHECKS: tuple[tuple[str, Check], ...] = (
    (BenchCondition.IMAGE_READY, apps_are_known),
    (BenchCondition.IMAGE_READY, image_may_reach_the_sites),
    (BenchCondition.IMAGE_READY, jobs_fit),
    (BenchCondition.CACHE_READY, redis_has_one_password),
    (BenchCondition.CACHE_READY, redis_fits),
    (BenchCondition.CACHE_READY, cache_fits),
    (BenchCondition.DATABASE_READY, mariadb_fits),
    (BenchCondition.PROXY_READY, proxy_fits),
    (BenchCondition.PROXY_READY, trusted_proxies_are_networks),
)
"""In the order in which they speak: of those with one condition the first that fails."""
