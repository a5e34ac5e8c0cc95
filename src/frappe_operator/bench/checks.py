"""The checks of a bench: pure functions of the observed state. A failed check makes one condition false."""

from collections.abc import Callable

from frappe_operator.api.types import Resources
from frappe_operator.bench.observe import Observed
from frappe_operator.kube.reasons import Reason
from frappe_operator.kube.stage import Blocked, Verdict
from frappe_operator.model import annotations, layers, scaling, sizing
from frappe_operator.model import bench as model
from frappe_operator.model.conditions import BenchCondition
from frappe_operator.model.image import refusal
from frappe_operator.model.redis_sizing import memory_problem
from frappe_operator.model.upgrade_policy import window_problem

Check = Callable[[Observed], Verdict | None]


def spec_is_readable(observed: Observed) -> Verdict | None:
    """The spec conforms to the schema, which a CustomResourceDefinition of another version may not enforce."""
    if observed.spec_or_none is not None:
        return None
    return Verdict(False, Reason.INVALID_SPEC, f"spec: {observed.spec_error}", blocked=True)


PREMISES: tuple[Check, ...] = (spec_is_readable,)
"""Checks without which the bench cannot be resolved. The first that fails ends the reconcile and gives Ready its
reason."""


def apps_are_readable(observed: Observed) -> Verdict | None:
    """The list of apps in the spec can be parsed."""
    try:
        model.apps(observed.spec)
    except Blocked as blocked:
        return blocked.verdict
    return None


def apps_can_be_provided(observed: Observed) -> Verdict | None:
    """Every app is in the image, or can be fetched with git."""
    if observed.inspected is None:
        return None
    try:
        problem = layers.problem(observed.spec, observed.inspected, observed.images)
    except Blocked:
        # IMAGE_READY says so.
        return None
    return Verdict(False, *problem, blocked=True) if problem else None


def app_secrets_exist(observed: Observed) -> Verdict | None:
    """The Secrets with the logins to the repositories of apps exist."""
    for app, secret in observed.missing_secrets.items():
        message = (
            f"Secret {secret} with the login to the repository of {app} does not exist: create it, or correct "
            "authSecretRef"
        )
        return Verdict(False, Reason.SECRET_NOT_FOUND, message, blocked=True)
    return None


def cache_fits(observed: Observed) -> Verdict | None:
    """Redis evicts cached values before it reaches its memory limit."""
    problem = memory_problem(observed.spec)
    return Verdict(False, Reason.INVALID_SPEC, problem, blocked=True) if problem else None


def jobs_fit(observed: Observed) -> Verdict | None:
    """No resource request of the Job that inspects the image exceeds its limit."""
    resources = observed.spec.component_resources
    return _fits("jobs", resources.jobs if resources else None)


def image_suits_the_sites(observed: Observed) -> Verdict | None:
    """The image of the spec contains the apps of all sites, none of them older than the one that the sites run."""
    refused = refusal(observed.found, observed.uses)
    return Verdict(False, *refused, blocked=True) if refused else None


def redis_has_one_password(observed: Observed) -> Verdict | None:
    """The Secret of Redis contains the same password for the servers and for their clients."""
    if not observed.redis_passwords_differ:
        return None
    message = (
        f"Secret {observed.names.redis}: the keys password and redis.conf contain different passwords, so nothing is "
        "restarted: write `requirepass <password>` into redis.conf, or delete the Secret to generate a new password"
    )
    return Verdict(False, Reason.SECRET_INVALID, message, blocked=True)


def redis_fits(observed: Observed) -> Verdict | None:
    """No resource request of Redis exceeds its limit."""
    resources = observed.spec.component_resources
    return _fits("redis", resources.redis if resources else None)


def mariadb_fits(observed: Observed) -> Verdict | None:
    """No resource request of MariaDB exceeds its limit."""
    config = observed.spec.database_config
    return _fits("mariadb", config.resources if config else None)


def proxy_fits(observed: Observed) -> Verdict | None:
    """No resource request of the proxy exceeds its limit."""
    resources = observed.spec.component_resources
    return _fits("nginx", resources.nginx if resources else None)


def proxy_can_scale(observed: Observed) -> Verdict | None:
    """The autoscaler of the proxy has a range, and a request for each resource that it measures."""
    resources = observed.spec.component_resources
    try:
        amounts = {"nginx": sizing.resources("nginx", resources.nginx if resources else None)}
    except Blocked as blocked:
        return blocked.verdict
    problem = scaling.problem("nginx", amounts, observed.spec.component_hpa)
    return Verdict(False, Reason.INVALID_SPEC, problem, blocked=True) if problem else None


def trusted_proxies_are_networks(observed: Observed) -> Verdict | None:
    """Every entry of trustedProxies is a network that the proxy's configuration accepts."""
    problem = model.trusted_proxies_problem(observed.spec)
    return Verdict(False, Reason.INVALID_SPEC, problem, blocked=True) if problem else None


def annotations_are_allowed(observed: Observed) -> Verdict | None:
    """Every annotation for the Ingresses of the sites concerns one site alone."""
    problem = annotations.problem(observed.spec.ingress)
    return Verdict(False, Reason.INVALID_SPEC, f"ingress.annotations: {problem}", blocked=True) if problem else None


def window_is_readable(observed: Observed) -> Verdict | None:
    """The time zone of the window for upgrades is known."""
    problem = window_problem(observed.spec.upgrade)
    return Verdict(False, Reason.INVALID_SPEC, problem, blocked=True) if problem else None


def _fits(component: str, resources: Resources | None) -> Verdict | None:
    problem = sizing.resources_problem(component, resources)
    return Verdict(False, Reason.INVALID_SPEC, problem, blocked=True) if problem else None


CHECKS: tuple[tuple[str, Check], ...] = (
    (BenchCondition.IMAGE_READY, apps_are_readable),
    (BenchCondition.IMAGE_READY, image_suits_the_sites),
    (BenchCondition.IMAGE_READY, jobs_fit),
    (BenchCondition.APPS_READY, apps_can_be_provided),
    (BenchCondition.APPS_READY, app_secrets_exist),
    (BenchCondition.CACHE_READY, redis_has_one_password),
    (BenchCondition.CACHE_READY, redis_fits),
    (BenchCondition.CACHE_READY, cache_fits),
    (BenchCondition.DATABASE_READY, mariadb_fits),
    (BenchCondition.PROXY_READY, proxy_fits),
    (BenchCondition.PROXY_READY, proxy_can_scale),
    (BenchCondition.PROXY_READY, trusted_proxies_are_networks),
    (BenchCondition.PROXY_READY, annotations_are_allowed),
    (BenchCondition.SITES_UPGRADED, window_is_readable),
)
"""Each check with the condition that it makes false. Of the checks of one condition, the first that fails gives reason
and message."""
