"""What every database engine has, and what it is given."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from frappe_operator.kube.live import Condition, Workload
from frappe_operator.kube.names import GROUP, child
from frappe_operator.kube.objects import Key, Manifest
from frappe_operator.kube.reasons import Reason
from frappe_operator.kube.stage import Verdict
from frappe_operator.model.bench import Names
from frappe_operator.model.database import Connection, EngineName
from frappe_operator.model.image import Facts, Image
from frappe_operator.model.owner import Owner
from frappe_operator.model.site import Site

PART = "database"
DATABASE_LABEL = f"{GROUP}/database"
"""On a connection Secret of the operator's: the database's name, so that it is known without reading the Secret."""


class ObservedDatabase(NamedTuple):
    """What is observed of a site's database and of its server."""

    engine: EngineName
    site: Key
    recorded_name: str
    """The database's name by the label of the operator's own connection Secret; empty without."""
    connection: Connection | None
    connection_data: Mapping[str, str] | None
    """The user's connection Secret, decoded, but for its password; None when there is none."""
    frappe: Facts | None
    server: Workload | None
    """The bench's MariaDB."""
    conditions: Sequence[Condition]
    """Of the site, in its last status."""
    bench_conditions: Mapping[str, Condition]


class Remains(NamedTuple):
    """What a deleted site may have left in a database server, and what a Job that removes it needs."""

    owner: Owner
    image: Image
    bench: Names
    resources: Manifest
    secret: str
    """The connection Secret of the operator's own."""
    recorded_name: str
    """The database's name by the label of that Secret; empty without."""
    server_exists: bool
    """Whether there is still a MariaDB of the bench."""


class DatabaseEngine(Protocol):
    """The functions of one engine."""

    def secret_problem(self, observed: ObservedDatabase) -> tuple[Reason, str] | None:
        """What is wrong with the Secret that names the database; None when nothing is."""

    def server_ready(self, site: Site, observed: ObservedDatabase) -> Verdict:
        """Whether the database server answers."""

    def connection(self, site: Site, password: str) -> list[Manifest]:
        """The Secret with the connection, where the operator generates it."""

    def jobs(self, site: Site) -> list[Manifest]:
        """The Job that creates the database, or checks it, before the site is created in it."""

    def secrets(self, site: Site) -> dict[str, str]:
        """By folder, the Secrets that a Job mounts which creates, checks or changes the connection."""

    def configure_arguments(self, site: Site) -> list[str]:
        """Arguments of the Job that brings a changed connection into the site, beside those of every engine."""

    def secret_lost(self, site: Site) -> str:
        """The message while the connection Secret of a site that exists is missing."""

    def drop(self, remains: Remains) -> list[Manifest]:
        """The Job named `drop_name` that removes database and user; nothing where they are not of this engine."""


def drop_name(site: str) -> str:
    """Name of the Job that removes a site's database.

    Not "drop-database": a site called `<site>-drop` has its Job "database" by that name.
    """
    return child(site, "drop")
