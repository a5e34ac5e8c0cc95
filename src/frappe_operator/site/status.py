"""The status of a site, except for its conditions."""

from collections.abc import Mapping
from typing import Any

from frappe_operator.kube.stage import Verdict
from frappe_operator.model import removal
from frappe_operator.model.conditions import SiteCondition
from frappe_operator.model.host import in_unicode
from frappe_operator.model.site import Site, apps
from frappe_operator.model.upgrade import STEPS_OF_A_TURN, Step
from frappe_operator.site.observe import LastUpgrade, Observed


def status(
    site: Site, observed: Observed, verdicts: Mapping[str, Verdict], installed: list[str] | None, now: str
) -> dict[str, Any]:
    """Fields of `status` by their JSON names. `installed`: the apps on the site, None to keep those of the last
    status. `now`: the time at which a step of an upgrade begins."""
    return {
        "siteURL": site.url,
        "resolvedDomain": site.domain.host,
        "domainSource": site.domain.source,
        "hosts": _hosts(site, observed),
        "benchReady": verdicts[SiteCondition.BENCH_READY].ok,
        "databaseReady": verdicts[SiteCondition.DATABASE_READY].ok,
        "databaseName": site.database.name,
        "dbConnectionSecret": site.database.secret,
        "adminSecret": site.names.admin,
        "frappeVersion": site.facts.frappe_version,
        "release": site.image.reference,
        "upgrade": _upgrade(site, observed.last_status.upgrade, verdicts, now),
        **({"installedApps": installed} if installed is not None else {}),
        "apps": _apps(site, observed, (observed.last_status.installed_apps or []) if installed is None else installed),
    }


def _hosts(site: Site, observed: Observed) -> list[dict[str, Any]]:
    return [
        {
            "name": host,
            **({"unicodeName": unicode} if (unicode := in_unicode(host)) else {}),
            **({"redirected": True} if host in site.domain.redirects else {}),
        }
        for host in site.domain.hosts
        if host not in observed.conflicting_hosts
    ]


def _apps(site: Site, observed: Observed, installed: list[str]) -> list[dict[str, Any]]:
    asked, listed = observed.upgrade.removal.among(installed), apps(observed.spec, observed.bench)
    return removal.states(listed, installed, asked, site.removal_failed, site.facts.versions)


def _upgrade(site: Site, last: LastUpgrade | None, verdicts: Mapping[str, Verdict], now: str) -> dict[str, Any] | None:
    """The upgrade of the site; None when there is none, or it has succeeded and the site is served again."""
    # A site without a web server has nothing to answer with.
    answers = () if site.sizes["gunicorn"].replicas else (SiteCondition.ROUTED, SiteCondition.SERVING)
    ready = all(each.ok or each.advisory or name in answers for name, each in verdicts.items())
    in_turn = last is not None and last.step in STEPS_OF_A_TURN
    if site.upgrade is not None:
        step, attempt = site.upgrade.step, site.upgrade.attempt
    elif site.upgrade_failed or site.removal_failed:
        step = Step.FAILED if ready or not in_turn else Step.RETURNING
        attempt = site.mark.failed if site.upgrade_failed else site.mark.removal_failed
    elif last is not None and in_turn and not ready:
        step, attempt = Step.STARTING, last.attempt
    else:
        return None
    same = last is not None and (last.step, last.attempt) == (step, attempt)
    return {
        "image": (site.image if site.removal_failed and not site.upgrade_failed else site.target).reference,
        "frappeVersion": site.upgrade.target.frappe_version if site.upgrade else None,
        "step": step,
        "since": last.since if same and last else now,
        "attempt": attempt,
    }
