"""The reconcile of a FrappeSite: observe, resolve, apply, ask, report."""

from collections.abc import Callable, Iterable

from frappe_operator.api.kinds import BENCH, SITE, LiveBench, LiveSite
from frappe_operator.api.labels import BENCH_LABEL, SITE_FINALIZER, SITE_LABEL
from frappe_operator.components.children import CHILDREN
from frappe_operator.kube.children import pruned
from frappe_operator.kube.kinds import (
    EVENT,
    JOB,
    POD,
    SECRET,
    STATEFUL_SET,
    STORAGE_CLASS,
    Kind,
)
from frappe_operator.kube.live import Live, Pod
from frappe_operator.kube.names import AT_WORK, JOB_PODS
from frappe_operator.kube.objects import Key
from frappe_operator.kube.stage import Verdict
from frappe_operator.model import bench as bench_model
from frappe_operator.model import domain
from frappe_operator.model import job_reports as report_model
from frappe_operator.model import site as site_model
from frappe_operator.model.bench import Names
from frappe_operator.model.conditions import SiteCondition
from frappe_operator.model.settings import Images
from frappe_operator.runtime.apply.children import apply
from frappe_operator.runtime.apply.finalizers import ensure_finalizer
from frappe_operator.runtime.client.fetch import Fetch
from frappe_operator.runtime.cluster import Cluster
from frappe_operator.runtime.controller import Controller, Watch, generation_changes, watch_children
from frappe_operator.runtime.status.diagnose import diagnose
from frappe_operator.runtime.status.report import report
from frappe_operator.site.cleanup import cleanup
from frappe_operator.site.conditions import routed, serving
from frappe_operator.site.generated_secrets import is_created
from frappe_operator.site.installed_apps import INSTALLED, installed_apps
from frappe_operator.site.observe import observe
from frappe_operator.site.probe import again, ask, settled
from frappe_operator.site.ready_prober import Prober
from frappe_operator.site.resolve import resolve
from frappe_operator.site.stages import stages
from frappe_operator.site.status import status

VERBS: dict[Kind, str] = {SITE: "get patch", POD: "list", EVENT: "list"}
"""What a site's reconcile does with objects that are no children of it."""


EARLIER_PODS_SECONDS = 30.0
"""How often is looked whether the last pod of an earlier image has ended. They are not watched."""


def controller(images: Images, token: Callable[[], str], fetch: Fetch) -> Controller:
    """The controller of FrappeSites. `token` makes a new password; `fetch` asks proxies and sites over HTTP."""

    prober = Prober(fetch)

    async def reconcile(cluster: Cluster, key: Key) -> float | None:
        live = cluster.get(SITE, key.namespace, key.name)
        if live is None:
            prober.unanswered.discard(key)
            return None
        if live.deleting:
            return await cleanup(cluster, live)
        await ensure_finalizer(cluster, SITE, live, SITE_FINALIZER)
        observed = await observe(cluster, live, images)
        site = resolve(observed)
        steps = stages(site, observed, token)
        done = await apply(cluster, SITE, live, steps, prune=pruned(CHILDREN))
        diagnosis = await diagnose(
            cluster, live, steps, done.verdicts, report_model.pods_of_job(cluster, key.namespace)
        )
        asked = key in prober.unanswered or not settled(observed, site)
        prober.unanswered.discard(key)
        answers = await ask(cluster, site, observed, fetch) if asked else None
        created = done.verdicts[SiteCondition.ROUTED]
        reaches = routed.probed(site, answers) if asked else routed.known(site)
        reached: dict[str, Verdict] = {
            SiteCondition.ROUTED: reaches if created.ok else created,
            SiteCondition.SERVING: serving.probed(site, answers) if asked else serving.known(site),
        }
        verdicts = {**diagnosis.verdicts, **reached}
        installed = await installed_apps(cluster, site, observed, verdicts[INSTALLED])
        await report(cluster, SITE, live, verdicts, status(site, verdicts, installed))
        if is_created(observed) and any(ref.kind == SECRET for ref in done.written):
            # Our own word is no news to us, and what is in the Secret has yet to reach the site.
            cluster.requeue(SITE, key)
        unanswered = answers is not None and any(not each.ok and not each.blocked for each in reached.values())
        if unanswered and not observed.taken:
            return again(observed, cluster.clock())
        return diagnosis.requeue_after or (EARLIER_PODS_SECONDS if observed.earlier_pods else None)

    return Controller(
        SITE,
        reconcile,
        [
            Watch(
                SITE,
                sharing_hosts,
                event_filter=generation_changes,
                indices={**domain.INDICES, **site_model.INDICES},
            ),
            Watch(BENCH, sharing_suffix, event_filter=bench_model.suffix),
            Watch(BENCH, sites_of_bench, event_filter=offered),
            Watch(STORAGE_CLASS, nobody),
            *watch_children(
                CHILDREN,
                labelled_site,
                other_owners={STATEFUL_SET: sites_of_server, SECRET: sites_of_secret},
                indices={JOB: site_model.JOB_INDICES},
            ),
            Watch(POD, site_of_pod, labels=JOB_PODS, fields=AT_WORK, indices=report_model.INDICES),
        ],
        VERBS,
        prober.run,
    )


def sharing_hosts(cluster: Cluster, live: LiveSite) -> Iterable[Key]:
    """The sites that want one of its hosts: when it goes, the next in line gets it."""
    return (other.metadata.key for other in domain.Register(cluster).rivals(live))


def sharing_suffix(cluster: Cluster, live: LiveBench) -> Iterable[Key]:
    """The sites that want a host which another suffix makes free, or takes."""
    return (other.metadata.key for other in domain.Register(cluster).rivals_of(live))


def offered(live: LiveBench) -> object:
    """What of a bench its sites go by: all but how many they are."""
    return generation_changes(live), {**live.status_fields, "sites": None}


def sites_of_bench(cluster: Cluster, live: LiveBench) -> Iterable[Key]:
    """Every site of a bench."""
    found = cluster.select(SITE, domain.BENCH_INDEX, str(live.metadata.key))
    return (site.metadata.key for site in found)


def sites_of_server(cluster: Cluster, live: Live) -> Iterable[Key]:
    """Every site of the bench whose MariaDB it is; of its Redis, the bench's status tells."""
    bench = live.metadata.label(BENCH_LABEL)
    if live.metadata.name != Names(bench).mariadb:
        return ()
    found = cluster.select(SITE, domain.BENCH_INDEX, f"{live.metadata.namespace}/{bench}")
    return (site.metadata.key for site in found)


def labelled_site(cluster: Cluster, live: Live) -> Iterable[Key]:
    """The site that a child says it belongs to. A lie costs a look and nothing more."""
    if name := live.metadata.label(SITE_LABEL):
        yield Key(live.metadata.namespace, name)


def site_of_pod(cluster: Cluster, live: Pod) -> Iterable[Key]:
    """The site whose Job's pod it is, when the pod has something to say."""
    return labelled_site(cluster, live) if report_model.has_a_report(live) else ()


def sites_of_secret(cluster: Cluster, live: Live) -> Iterable[Key]:
    """The site it was made for, and the sites whose database it names."""
    yield from labelled_site(cluster, live)
    named = cluster.select(SITE, site_model.CONNECTION_INDEX, str(live.metadata.key))
    yield from (site.metadata.key for site in named)


def nobody(cluster: Cluster, live: Live) -> Iterable[Key]:
    """LastStatus, but no reason to look: a claim that waits for its class changes itself when the class is there."""
    return ()
