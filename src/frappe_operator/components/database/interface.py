"""The interface of database engines, and its arguments."""

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
"""Label of a generated connection Secret: the name of the database, so that the Secret need not be read."""


class ObservedDatabase(NamedTuple):
    """The observed state of the database of a site and of its server."""

    engine: EngineName
    site: Key
    recorded_name: str
    """Name of the database in the label of the generated connection Secret; empty without the label."""
    connection: Connection | None
    connection_data: Mapping[str, str] | None
    """Decoded data of the connection Secret of the user, without the password; None when it does not exist."""
    frappe: Facts | None
    """Inspection result of the image of the site; None until an image has been inspected."""
    server: Workload | None
    """The StatefulSet of the MariaDB of the bench, or of the site alone; None when it does not exist."""
    conditions: Sequence[Condition]
    """Conditions in the status of the site."""
    bench_conditions: Mapping[str, Condition]
    """Conditions in the status of the bench, by type."""
    server_kind: str | None = None
    """Recorded kind of the server that the site has alone, empty for none; None before it is decided."""


class Remains(NamedTuple):
    """The database that a deleted site may have left, with what the Job that removes it needs."""

    owner: Owner
    image: Image
    bench: Names
    resources: Manifest
    secret: str
    """Name of the generated connection Secret."""
    recorded_name: str
    """Name of the database in the label of the connection Secret; empty without the label."""
    server_exists: bool
    """Whether the MariaDB of the bench exists."""
    server_kind: str = ""
    """Kind of the server that the site had alone, in the label of the connection Secret; empty without the label."""


class DatabaseEngine(Protocol):
    """The functions of one engine."""

    def secret_problem(self, observed: ObservedDatabase) -> tuple[Reason, str] | None:
        """Reason and message about an invalid connection Secret; None when it is valid."""

    def root(self, site: Site, password: str) -> list[Manifest]:
        """The Secret with the password of root of a server that the site has alone; none for another server."""

    def server(self, site: Site) -> list[Manifest]:
        """The server that the site has alone; none for another server."""

    def server_ready(self, site: Site, observed: ObservedDatabase) -> Verdict:
        """Whether the database server is available."""

    def connection(self, site: Site, password: str) -> list[Manifest]:
        """The Secret with the connection, if the operator generates it."""

    def jobs(self, site: Site, template: str = "") -> list[Manifest]:
        """The Job that creates or checks the database before the site is created in it. `template`: key of the template
        that the site may be copied from, empty for none."""

    def secrets(self, site: Site) -> dict[str, str]:
        """The Secrets, by folder, that Jobs mount to create, check or change the connection."""

    def tls_arguments(self, site: Site) -> list[str]:
        """Additional arguments of every Job that connects to the database."""

    def configure_arguments(self, site: Site) -> list[str]:
        """Additional arguments of the Job that applies a changed connection to the site."""

    def secret_lost(self, site: Site) -> str:
        """The message while the connection Secret of an existing site is missing."""

    def drop(self, remains: Remains) -> list[Manifest]:
        """The Job `drop_name` that removes database and user; none for a database of another engine."""


def drop_name(site: str) -> str:
    """Name of the Job that removes the database of a site.

    It is not "drop-database", because the Job "database" of a site called `<site>-drop` has that name.
    """
    return child(site, "drop")
