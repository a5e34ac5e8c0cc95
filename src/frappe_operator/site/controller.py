"""The reconcile of a FrappeSite: observe, resolve, apply, probe, report."""

from collections.abc import Callable, Iterable

from frappe_operator.api.kinds import BENCH, SITE, LiveBench, LiveSite
from frappe_operator.api.labels import BENCH_LABEL, SITE_FINALIZER, SITE_LABEL
from frappe_operator.components.children import CHILDREN, INSTALL_GATEWAY_API
from frappe_operator.kube.children import pruned
from frappe_operator.kube.kinds import (
    EVENT,
    GATEWAY,
    JOB,
    POD,
    SECRET,
    SERVICE,
    STATEFUL_SET,
    STORAGE_CLASS,
    Kind,
)
from frappe_operator.kube.live import Live, Pod
from frappe_operator.kube.names import JOB_PODS, UNFINISHED_PODS
from frappe_operator.kube.objects import Key
from frappe_operator.kube.stage import Verdict
from frappe_operator.model import bench as bench_model
from frappe_operator.model import host_claims, route
from frappe_operator.model import job_reports as report_model
from frappe_operator.model import site as site_model
from frappe_operator.model.bench import Names
from frappe_operator.model.conditions import SiteCondition
from frappe_operator.model.host_claims import HostClaims, HostGrants
from frappe_operator.model.settings import Images
from frappe_operator.model.tls import site_of_own_secret
from frappe_operator.runtime.apply.children import apply
from frappe_operator.runtime.apply.finalizers import ensure_finalizer
from frappe_operator.runtime.apply.lost_reports import rerun_lost
from frappe_operator.runtime.client.fetch import Fetch
from frappe_operator.runtime.cluster import Cluster
from frappe_operator.runtime.controller import Controller, MapFunction, Watch, generation_changes, watch_children
from frappe_operator.runtime.status.diagnose import diagnose
from frappe_operator.runtime.status.report import report
from frappe_operator.site.cleanup import cleanup
from frappe_operator.site.conditions import certificate_ready, routed, serving
from frappe_operator.site.generated_secrets import is_created
from frappe_operator.site.installed_apps import INSTALLED, installed_apps
from frappe_operator.site.observe import observe
from frappe_operator.site.probe import announced, probe, requeue_after, settled
from frappe_operator.site.ready_prober import Prober
from frappe_operator.site.resolve import resolve
from frappe_operator.site.stages import stages
from frappe_operator.site.status import status

VERBS: dict[Kind, str] = {SITE: "get patch", POD: "list delete", EVENT: "list"}
"""RBAC verbs for objects that are not children of a site, by kind."""

STOPPING_SECONDS = 2.0
"""How often it is checked whether the pods of a site have ended that has its turn to upgrade."""


def controller(images: Images, token: Callable[[], str], fetch: Fetch, hosts: HostGrants) -> Controller:
    """The controller of FrappeSites. `token` generates a password; `fetch` makes HTTP requests to proxies and sites;
    `hosts` are those that sites have got."""

    prober = Prober(fetch)

    async def reconcile(cluster: Cluster, key: Key) -> float | None:
        live = cluster.get(SITE, key.namespace, key.name)
        if live is None:
            prober.failed.discard(key)
            hosts.forget(key)
            return None
        if live.deleting:
            return await cleanup(cluster, live)
        await ensure_finalizer(cluster, SITE, live, SITE_FINALIZER)
        found = await observe(cluster, live, images, hosts)
        observed = await announced(cluster, found._replace(time=cluster.clock()), fetch)
        site = resolve(observed)
        lost = observed.upgrade.job_without_report
        rerun = await rerun_lost(cluster, lost) if lost else None
        decided = stages(site, observed, token)
        applied = await apply(cluster, SITE, live, decided, prune=pruned(CHILDREN))
        diagnosis = await diagnose(
            cluster, live, decided, applied.verdicts, report_model.pods_of_job(cluster, key.namespace)
        )
        probing = site.upgrade is None and (key in prober.failed or not settled(observed, site))
        prober.failed.discard(key)
        responses = await probe(cluster, site, observed, fetch) if probing else None
        by_route = applied.verdicts[SiteCondition.ROUTED]
        proxies = routed.probed(site, responses) if probing else routed.already_routed(site)
        access: dict[str, Verdict] = {
            SiteCondition.ROUTED: proxies if by_route.ok else by_route,
            SiteCondition.SERVING: serving.probed(site, responses) if probing else serving.already_serving(site),
        }
        verdicts = {**diagnosis.verdicts, **access}
        installed = await installed_apps(cluster, site, observed, verdicts[INSTALLED])
        await report(cluster, SITE, live, verdicts, status(site, observed, verdicts, installed, cluster.now()))
        written = {ref.kind for ref in applied.written}
        reads_secrets = is_created(observed) or site.database.server is not None
        if (
            (site.mark != observed.upgrade.mark and is_created(observed))
            or (reads_secrets and SECRET in written)
            or (site.own.waits and SERVICE in written)
        ):
            # A self-triggered event is ignored, and the next reconcile decides with the new mark, Secret or address.
            cluster.requeue(SITE, key)
        failed = responses is not None and any(not each.ok and not each.blocked for each in access.values())
        if failed and not observed.conflicting_hosts:
            return requeue_after(observed, cluster.clock())
        waits = [
            diagnosis.requeue_after,
            rerun,
            # Pods are not watched.
            STOPPING_SECONDS if observed.upgrade.progress is not None else None,
            certificate_ready.changes_in(observed),
        ]
        return min((each for each in waits if each is not None), default=None)

    return Controller(
        SITE,
        reconcile,
        [
            Watch(
                SITE,
                sites_with_shared_hosts(hosts),
                event_filter=generation_changes,
                indices={**host_claims.INDICES, **site_model.INDICES},
            ),
            Watch(
                BENCH,
                sites_with_changed_hosts(hosts),
                event_filter=bench_model.domain_defaults,
                indices={**host_claims.BENCH_INDICES, **bench_model.INDICES},
            ),
            Watch(BENCH, sites_of_bench, event_filter=used_by_sites),
            Watch(STORAGE_CLASS, no_site),
            *watch_children(
                CHILDREN,
                site_by_label,
                other_owners={STATEFUL_SET: sites_of_server, SECRET: sites_of_secret},
                indices={JOB: site_model.JOB_INDICES},
            ),
            Watch(GATEWAY, sites_of_gateway, optional=True, install=INSTALL_GATEWAY_API),
            Watch(POD, site_of_pod, labels=JOB_PODS, fields=UNFINISHED_PODS, indices=report_model.INDICES),
        ],
        VERBS,
        prober.run,
    )


def sites_with_shared_hosts(hosts: HostGrants) -> MapFunction[LiveSite]:
    """Map function: from a site to all sites that have no host because of it. When it is deleted, the next one gets the
    host."""
    return lambda cluster, live: (other.metadata.key for other in HostClaims(cluster, hosts).losers(live))


def sites_with_changed_hosts(hosts: HostGrants) -> MapFunction[LiveBench]:
    """Map function: from a bench with another domain configuration to all sites that claim one of the changed
    hosts."""
    return lambda cluster, live: (other.metadata.key for other in HostClaims(cluster, hosts).losers_of(live))


def used_by_sites(live: LiveBench) -> object:
    """Event filter: what sites read of their bench, which is everything but the number of sites in its status."""
    return generation_changes(live), {**live.status_fields, "sites": None}


def sites_of_bench(cluster: Cluster, live: LiveBench) -> Iterable[Key]:
    """Map function: from a bench to all its sites."""
    found = cluster.select(SITE, host_claims.BENCH_INDEX, str(live.metadata.key))
    return (site.metadata.key for site in found)


def sites_of_server(cluster: Cluster, live: Live) -> Iterable[Key]:
    """Map function: from the MariaDB StatefulSet of a site to the site, and from that of a bench to all sites of the
    bench. For Redis, sites read the status of their bench."""
    yield from site_by_label(cluster, live)
    bench = live.metadata.label(BENCH_LABEL)
    if live.metadata.name != Names(bench).mariadb:
        return
    found = cluster.select(SITE, host_claims.BENCH_INDEX, f"{live.metadata.namespace}/{bench}")
    yield from (site.metadata.key for site in found)


def site_by_label(cluster: Cluster, live: Live) -> Iterable[Key]:
    """Map function: from a child to the site that its label names. A wrong label costs one reconcile without effect."""
    if name := live.metadata.label(SITE_LABEL):
        yield Key(live.metadata.namespace, name)


def site_of_pod(cluster: Cluster, live: Pod) -> Iterable[Key]:
    """Map function: from the pod of a site's Job to the site, once the pod reports a result or a failure."""
    return site_by_label(cluster, live) if report_model.has_a_report(live) else ()


def sites_of_secret(cluster: Cluster, live: Live) -> Iterable[Key]:
    """Map function: from a Secret to the site it was generated for, to the sites that use it, and to all sites of the
    benches whose certificate is in it."""
    yield from site_by_label(cluster, live)
    named = cluster.select(SITE, site_model.SECRET_INDEX, str(live.metadata.key))
    yield from (site.metadata.key for site in named)
    own = cluster.get(SITE, live.metadata.namespace, site_of_own_secret(live.metadata.name))
    if own is not None:
        yield own.metadata.key
    for bench in cluster.select(BENCH, bench_model.CERTIFICATE_INDEX, str(live.metadata.key)):
        yield from sites_of_bench(cluster, bench)


def sites_of_gateway(cluster: Cluster, live: Live) -> Iterable[Key]:
    """Map function: from a Gateway to the sites that name it, and to all sites of the benches that do."""
    named = cluster.select(SITE, route.GATEWAY_INDEX, str(live.metadata.key))
    yield from (site.metadata.key for site in named)
    for bench in cluster.select(BENCH, route.GATEWAY_INDEX, str(live.metadata.key)):
        yield from sites_of_bench(cluster, bench)


def no_site(cluster: Cluster, live: Live) -> Iterable[Key]:
    """Map function of StorageClasses, which are cached but trigger no reconcile: a claim that waits for its class
    changes itself once the class exists."""
    return ()
