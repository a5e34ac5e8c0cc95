"""Apps that are removed from a site with their data: taken from its list, and confirmed by an annotation.

A removal is a turn of the upgrade of a site (model/upgrade.py): it is dumped, and on a failure the dump is put back.
"""

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from enum import StrEnum
from typing import Any, NamedTuple

from frappe_operator.api.frappebench import FrappeBenchSpec
from frappe_operator.api.frappesite import FrappeSiteSpec
from frappe_operator.api.kinds import LiveSite, readable_spec
from frappe_operator.api.labels import CONFIRM_ANNOTATION
from frappe_operator.kube.names import GROUP, digest
from frappe_operator.kube.stage import Blocked
from frappe_operator.model import bench as bench_model

REMOVED_LABEL = f"{GROUP}/apps-removed"
"""Label of the claim for the files of a site: fingerprint of the apps that were removed last, as long as they are
confirmed. A status that was not written after their removal does not have them removed again."""
REMOVAL_FAILED_LABEL = f"{GROUP}/removal-failed"
"""Label of that claim: the attempt to remove apps that failed last. It is not repeated."""

CONFIRMED_INDEX = "confirmed-removal"
"""Index over FrappeSites: those with CONFIRM_ANNOTATION, by their bench."""
MOST_APPS = 100
"""How many apps the status names."""


def by_confirmation(live: LiveSite) -> list[str]:
    """Index value: the bench of the site as `namespace/name`; none for a site without CONFIRM_ANNOTATION."""
    spec = readable_spec(live) if named(live) else None
    return [f"{live.metadata.namespace}/{spec.bench_ref.name}"] if spec else []


INDICES: dict[str, Callable[[LiveSite], list[str]]] = {CONFIRMED_INDEX: by_confirmation}


def named(live: LiveSite) -> list[str]:
    """The apps that CONFIRM_ANNOTATION of a site names, whether or not they are known. What is no name of an app, or is
    longer than any, is ignored: the status must not grow with it."""
    words = [word.strip() for word in live.metadata.annotation(CONFIRM_ANNOTATION).split(",")]
    return list(dict.fromkeys(word for word in words if re.fullmatch(r"[A-Za-z_]\w{0,63}", word, re.ASCII)))


class Removal(NamedTuple):
    """The apps of a site that are to be removed, as far as spec, annotation and status say."""

    confirmed: tuple[str, ...] = ()
    """Those that CONFIRM_ANNOTATION names and that are not in the list, installed or not."""
    apps: tuple[str, ...] = ()
    """Those of them that the last status says are installed, sorted."""
    has_turn: bool = False
    """Whether the bench lets the site remove them now."""

    def among(self, installed: Collection[str]) -> "Removal":
        """The same with other apps that are installed."""
        return self._replace(apps=tuple(sorted({*self.confirmed} & {*installed})))

    def is_done(self, removed: str) -> bool:
        """Whether the apps are removed already, and only the status does not say so. `removed`: REMOVED_LABEL."""
        return bool(self.apps) and fingerprint(self.apps) == removed

    def kept(self, removed: str) -> str:
        """The value that REMOVED_LABEL keeps: none once an app is in the list again, or others are to be removed."""
        return removed if self.confirmed and (not self.apps or self.is_done(removed)) else ""


NO_REMOVAL = Removal()


def fingerprint(apps: Collection[str]) -> str:
    """Fingerprint of apps that were removed; empty for none."""
    return digest(",".join(sorted(apps)), 12) if apps else ""


def removal(live: LiveSite, spec: FrappeSiteSpec, bench: FrappeBenchSpec, installed: Collection[str]) -> Removal:
    """The apps of a site that are to be removed. None are while the list of the bench, which it uses, is invalid.

    `installed`: the apps of the site by its last status.
    """
    try:
        listed = spec.apps if spec.apps is not None else bench_model.apps(bench)
    except Blocked:
        return NO_REMOVAL
    confirmed = set(named(live)) - {"frappe", *listed}
    return Removal(tuple(sorted(confirmed))).among(installed)


class State(StrEnum):
    """The state of an app of a site, as `status.apps` shows it."""

    INSTALLED = "Installed"
    INSTALLING = "Installing"
    """In the list and not installed yet. The condition AppsInstalled says what it waits for."""
    NOT_WANTED = "NotWanted"
    """Installed and not in the list: it stays until its removal is confirmed."""
    REMOVING = "Removing"
    """Its removal is confirmed."""
    REMOVAL_FAILED = "RemovalFailed"
    """Its removal failed, and it is installed as before."""


def not_wanted(listed: Collection[str], installed: Sequence[str], removing: Collection[str]) -> list[str]:
    """The apps that stay installed although they are not in the list."""
    return [app for app in installed if app not in (*listed, *removing)]


def states(
    listed: Sequence[str], installed: Sequence[str], removed: Removal, failed: bool, versions: Mapping[str, str]
) -> list[dict[str, Any]]:
    """`status.apps`. `removed`: the apps that are to be removed, or whose removal has `failed`."""

    def state(app: str) -> State:
        if app in removed.apps:
            return State.REMOVAL_FAILED if failed else State.REMOVING
        if app not in installed:
            return State.INSTALLING
        return State.INSTALLED if app in listed else State.NOT_WANTED

    apps = list(dict.fromkeys([*listed, *installed]))[:MOST_APPS]
    return [
        {"name": app, "state": state(app), **({"version": versions[app]} if versions.get(app) else {})} for app in apps
    ]
