"""DatabaseReady: the server is available, and the database of the site is in it."""

from collections.abc import Callable

from frappe_operator.components.database import ENGINES
from frappe_operator.kube.objects import Manifest
from frappe_operator.kube.readiness import being_created, jobs_succeeded
from frappe_operator.kube.reasons import Reason
from frappe_operator.kube.stage import LiveChildren, Stage, Verdict
from frappe_operator.model.conditions import SiteCondition
from frappe_operator.model.site import Site
from frappe_operator.site.observe import Observed

CONDITION = SiteCondition.DATABASE_READY


def stages(site: Site, observed: Observed, token: Callable[[], str], template: str) -> list[Stage]:
    """The stages of the condition: a server that the site has alone, and the Job that creates or checks the database.
    `token` generates a password. `template`: key of the template that the site may be copied from, empty for none."""
    engine = ENGINES[site.database.engine]
    password, server = engine.root(site, token()), engine.server(site)
    if observed.mariadb is not None and not observed.server_revision:
        # The server runs on while its Secret is lost, and restarts once, when there is a new one.
        server = []
    # The Jobs behind it have the revision of the connection Secret among their inputs: when it has been created just
    # now, they wait for the reconcile that knows it.
    prepared = jobs_succeeded(observed.reports) if site.database.revision else being_created
    return [
        *([Stage(CONDITION, [], _root_exists(observed, password), once=password)] if password else []),
        Stage(CONDITION, server, lambda _: engine.server_ready(site, observed.database)),
        Stage(CONDITION, [], prepared, once=[*engine.connection(site, token()), *engine.jobs(site, template)]),
    ]


def _root_exists(observed: Observed, password: list[Manifest]) -> Callable[[LiveChildren], Verdict]:
    """Whether the Secret with the password of root exists."""
    name = password[0]["metadata"]["name"]

    def ready(_: LiveChildren) -> Verdict:
        if observed.server_revision:
            return Verdict(True, Reason.READY, f"Secret {name} exists.")
        message = f"Secret {name} is being generated; MariaDB restarts with the new password"
        return Verdict(False, Reason.PROVISIONING, message)

    return ready
