"""The checks of a site: pure functions of the observed spec, Secrets and bench. A failed check makes one condition
false."""

from collections.abc import Callable, Sequence

from frappe_operator.api.types import ComponentResources, Resources
from frappe_operator.components.database import ENGINES
from frappe_operator.kube.reasons import Reason, Trait, traits
from frappe_operator.kube.stage import Blocked, Verdict
from frappe_operator.model import annotations, domain, route, scaling, sizing
from frappe_operator.model import bench as bench_model
from frappe_operator.model import site as model
from frappe_operator.model.conditions import BenchCondition, SiteCondition
from frappe_operator.model.image import EARLIER
from frappe_operator.model.reasons import FrappeReason
from frappe_operator.model.site import SiteNames
from frappe_operator.model.upgrade import RELEASE_LABEL, UPGRADING_LABEL
from frappe_operator.site.observe import Observed

Check = Callable[[Observed], Verdict | None]
CONTAINERS = {"gunicorn": ("gunicorn", "front_door"), "socketio": ("socketio",)}
"""The containers in the pods of each component that may have an autoscaler, as components with resources."""


def spec_is_readable(observed: Observed) -> Verdict | None:
    """The spec conforms to the schema, which a CustomResourceDefinition of another version may not enforce."""
    return _blocked(Reason.INVALID_SPEC, f"spec: {observed.spec_error}") if observed.spec_or_none is None else None


def bench_exists(observed: Observed) -> Verdict | None:
    """The FrappeBench that benchRef names exists in the site's namespace."""
    if observed.bench_live_or_none is not None:
        return None
    name, namespace = observed.spec.bench_ref.name, observed.live.metadata.namespace
    if problem := model.bench_namespace_problem(observed.spec, namespace):
        return _blocked(Reason.INVALID_SPEC, problem)
    message = f"FrappeBench {name} does not exist in namespace {namespace}: create it, or correct benchRef"
    return _blocked(FrappeReason.BENCH_NOT_FOUND, message)


def bench_spec_is_readable(observed: Observed) -> Verdict | None:
    """The spec of the bench conforms to the schema."""
    if observed.bench_or_none is not None:
        return None
    bench = observed.bench_live.metadata.name
    return _blocked(Reason.INVALID_SPEC, f"FrappeBench {bench}: spec: {observed.bench_error}")


def image_is_inspected(observed: Observed) -> Verdict | None:
    """At least one image of the bench has been inspected, be it an earlier one."""
    if observed.bench.target is not None:
        return None
    message = f"FrappeBench {observed.bench.name} has not inspected its image yet"
    apps = observed.bench_conditions.get(BenchCondition.APPS_READY)
    if apps is not None and apps.status != "True" and apps.reason != Reason.WAITING:
        message = f"FrappeBench {observed.bench.name} has not built its apps yet: {apps.message}"
    return Verdict(False, FrappeReason.BENCH_NOT_READY, message)


def release_is_known(observed: Observed) -> Verdict | None:
    """The bench knows the image that the data of the site was last migrated with, and the one it is migrated to."""
    mark, releases = observed.upgrade.mark, observed.bench.releases
    needed = {mark.upgrading} if observed.facts else {mark.release}
    unknown = next((key for key in needed - {"", *releases}), "")
    if not unknown:
        return None
    bench = observed.bench
    message = (
        f"The data of the site is of the release {unknown}, which FrappeBench {bench.name} does not know any more: "
        f"restore the key {EARLIER}{unknown} of ConfigMap {bench.names.image}. To have the data migrated to the image "
        f"of the bench without a way back, remove the labels {RELEASE_LABEL} and {UPGRADING_LABEL} of the "
        f"PersistentVolumeClaim {SiteNames(observed.live.metadata.name).files}"
    )
    return _blocked(FrappeReason.RELEASE_UNKNOWN, message)


PREMISES: tuple[Check, ...] = (
    spec_is_readable,
    bench_exists,
    bench_spec_is_readable,
    image_is_inspected,
    release_is_known,
)
"""Checks without which the site cannot be resolved. The first that fails ends the reconcile and gives Ready its
reason."""


def bench_is_in_its_namespace(observed: Observed) -> Verdict | None:
    """benchRef names no other namespace than that of the site."""
    problem = model.bench_namespace_problem(observed.spec, observed.live.metadata.namespace)
    return _blocked(Reason.INVALID_SPEC, problem) if problem else None


def bench_accepts_the_site(observed: Observed) -> Verdict | None:
    """The bench is not being deleted, or the site is older than the deletion: existing sites are served until they are
    deleted."""
    bench = observed.bench_live.metadata
    if bench.deletion_timestamp is None or observed.live.metadata.creation_timestamp <= bench.deletion_timestamp:
        return None
    message = (
        f"FrappeBench {bench.name} is being deleted and accepts no new sites: delete this FrappeSite and create it on "
        "another bench"
    )
    return _blocked(FrappeReason.BENCH_DELETING, message)


def database_secret_is_usable(observed: Observed) -> Verdict | None:
    """The Secret of the database has all keys that a login needs, and names a database that this site may use."""
    problem = ENGINES[observed.database.engine].secret_problem(observed.database)
    return _blocked(*problem) if problem else None


def server_fits(observed: Observed) -> Verdict | None:
    """No resource request of a MariaDB that the site has alone exceeds its limit."""
    config = observed.spec.db_config
    problem = sizing.resources_problem("mariadb", config.resources if config else None)
    return _blocked(Reason.INVALID_SPEC, problem) if problem else None


def apps_are_readable(observed: Observed) -> Verdict | None:
    """The bench's list of apps can be parsed, if the site uses it."""
    if observed.spec.apps is not None:
        return None
    try:
        bench_model.apps(bench_model.parse(observed.bench_live))
    except Blocked as blocked:
        return _blocked(Reason.INVALID_SPEC, f"FrappeBench {observed.bench.name}: {blocked}")
    return None


def apps_are_in_the_image(observed: Observed) -> Verdict | None:
    """The release that the site runs contains its apps: the image, or an app layer."""
    facts, bench = observed.facts, observed.bench
    if facts is None:
        return None
    missing = [app for app in model.apps(observed.spec, bench) if app not in facts.apps]
    if not missing:
        return None
    if any(app in bench.apps for app in missing):
        return _not_provided(observed, missing)
    message = (
        f"{', '.join(missing)} is not in image {facts.pinned} of FrappeBench {bench.name}: remove it "
        f"from spec.apps, add it to the apps of the bench, or use an image that contains it (imageConfig)"
    )
    return _blocked(FrappeReason.APP_NOT_IN_IMAGE, message)


def _not_provided(observed: Observed, missing: Sequence[str]) -> Verdict:
    """The verdict on apps that the bench names, and that the release of the site lacks."""
    bench, apps = observed.bench, ", ".join(missing)
    if bench.target is not None and all(app in bench.target.apps for app in missing):
        message = f"{apps} is installed once the site has been upgraded to the release of FrappeBench {bench.name}"
        return Verdict(False, FrappeReason.BENCH_NOT_READY, message)
    condition = observed.bench_conditions.get(BenchCondition.APPS_READY)
    why = f": {condition.message}" if condition and condition.status != "True" else ""
    message = f"{apps} is not provided yet by FrappeBench {bench.name}{why}"
    failed = condition is not None and condition.status != "True" and Trait.UNDER_WAY not in traits(condition.reason)
    return Verdict(False, FrappeReason.BENCH_NOT_READY, message, blocked=failed)


def resources_fit(observed: Observed) -> Verdict | None:
    """No resource request exceeds its limit, where either may come from the site or from the bench."""
    for component in ComponentResources.__struct_fields__:
        site = _of(observed.spec.component_resources, component)
        if problem := sizing.resources_problem(component, site, _of(observed.bench.resources, component)):
            inherited = [part for part in ("requests", "limits") if getattr(site, part, None) is None]
            bench = f"FrappeBench {observed.bench.name}, componentResources.{sizing.camel(component)}"
            source = f" (the {' and '.join(inherited)}: {bench})" if inherited else ""
            return _blocked(Reason.INVALID_SPEC, f"{problem}{source}")
    return None


def load_balancer_has_an_address(observed: Observed) -> Verdict | None:
    """The load balancer whose address names the site has one, or the site has a domain of its own."""
    service = observed.bench.domains.waits_for
    if service is None or observed.spec.domain:
        return None
    message = (
        f"Service {service.name} in namespace {service.namespace}, which names the sites of FrappeBench "
        f"{observed.bench.name}, has no address of a load balancer, or the operator may not read it: set domain, or "
        "domainConfig.suffix of the bench, to go on without it"
    )
    return Verdict(False, FrappeReason.ADDRESS_PENDING, message)


def annotations_are_allowed(observed: Observed) -> Verdict | None:
    """Every annotation for the Ingress concerns the site alone."""
    problem = annotations.problem(observed.spec.ingress)
    return _blocked(Reason.INVALID_SPEC, f"ingress.annotations: {problem}") if problem else None


def gateway_is_named(observed: Observed) -> Verdict | None:
    """A route of type Gateway has a Gateway, of the site or of its bench."""
    if not route.lacks_gateway(observed.bench.ingress, observed.spec.ingress):
        return None
    return _blocked(Reason.INVALID_SPEC, "ingress.type is Gateway: name the Gateway in ingress.gatewayRef")


def autoscalers_can_scale(observed: Observed) -> Verdict | None:
    """Every autoscaler has a range, and a request for each resource that it measures."""
    spec, bench = observed.spec, observed.bench
    try:
        for component, containers in CONTAINERS.items():
            amounts = {
                sizing.camel(each): sizing.resources(
                    each, _of(spec.component_resources, each), _of(bench.resources, each)
                )
                for each in containers
            }
            if problem := scaling.problem(component, amounts, spec.component_hpa, bench.autoscaling):
                inherited = bench.autoscaling or bench.resources
                source = f" (what the site does not set comes from FrappeBench {bench.name})" if inherited else ""
                return _blocked(Reason.INVALID_SPEC, f"{problem}{source}")
    except Blocked as blocked:
        return blocked.verdict
    return None


def host_can_be_served(observed: Observed) -> Verdict | None:
    """The main host of the site is a valid host name, also when it is derived from siteName."""
    problem = domain.host_problem(observed.domain)
    return _blocked(Reason.INVALID_SPEC, problem) if problem else None


def other_hosts_can_be_served(observed: Observed) -> Verdict | None:
    """The bench allows the wildcard hosts among the aliases and redirects, and all of them can be visited."""
    problems = observed.domain.problems
    return _blocked(Reason.INVALID_SPEC, problems[0]) if problems else None


def _of(resources: ComponentResources | None, component: str) -> Resources | None:
    found: Resources | None = getattr(resources, component, None)
    return found


def _blocked(reason: str, message: str) -> Verdict:
    return Verdict(False, reason, message, blocked=True)


CHECKS: tuple[tuple[str, Check], ...] = (
    (SiteCondition.BENCH_READY, bench_is_in_its_namespace),
    (SiteCondition.BENCH_READY, bench_accepts_the_site),
    # With the first condition: no child is created for a site that cannot be reached.
    (SiteCondition.BENCH_READY, host_can_be_served),
    (SiteCondition.BENCH_READY, load_balancer_has_an_address),
    (SiteCondition.DATABASE_READY, database_secret_is_usable),
    (SiteCondition.DATABASE_READY, server_fits),
    (SiteCondition.APPS_INSTALLED, apps_are_readable),
    (SiteCondition.APPS_INSTALLED, apps_are_in_the_image),
    (SiteCondition.WORKLOADS_READY, resources_fit),
    (SiteCondition.WORKLOADS_READY, autoscalers_can_scale),
)
"""Each check with the condition that it makes false. Of the checks of one condition, the first that fails gives reason
and message."""
ROUTE_CHECKS: tuple[tuple[str, Check], ...] = (
    (SiteCondition.ROUTED, gateway_is_named),
    (SiteCondition.ROUTED, annotations_are_allowed),
    (SiteCondition.ROUTED, other_hosts_can_be_served),
)
"""Checks that hold up nothing: the site has a route without what is wrong."""
