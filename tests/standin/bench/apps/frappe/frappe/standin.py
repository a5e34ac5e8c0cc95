"""What exists for tests only: a job that leaves a trace in its own site's database."""

import socket
import time

from frappe.conf import Conf, site_conf
from frappe.database import connected
from frappe.schema import add_row


def trace(site: str, marker: str, source: str, seconds: float = 0) -> None:
    """Work for `seconds`, then write down who did it, for which site, from which queue (`source`)."""
    started = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime())
    time.sleep(seconds)
    with connected(site_conf(site), site) as database:
        finished = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime())
        add_row(
            database,
            "Standin Job",
            site=site,
            marker=marker,
            queue=source,
            worker=socket.gethostname(),
            started=started,
            finished=finished,
        )


def link(conf: Conf, site: str, path: str) -> str:
    """A link as it stands in mails and PDFs, whichever host the request came by, or none, as in a job."""
    return f"{str(conf.get('host_name') or f'http://{site}').rstrip('/')}/{path.lstrip('/')}"


def beat(site: str) -> None:
    """The one scheduled job of every site."""
    trace(site, "beat", "default")


def traces(site: str, marker: str = "") -> list[dict[str, str]]:
    """What `trace` has written in this site, oldest first; only that of `marker` when one is given."""
    columns = ("site", "marker", "queue", "worker", "started", "finished")
    with connected(site_conf(site), site) as database:
        rows = database.sql(
            "SELECT site, marker, queue, worker, started, finished FROM `tabStandin Job` "
            "WHERE %s IN ('', marker) ORDER BY creation",
            marker,
        )
    return [dict(zip(columns, map(str, row), strict=True)) for row in rows]
