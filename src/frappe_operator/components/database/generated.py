"""What the engines have in common whose databases the operator creates: functions of `DatabaseEngine` about the
generated connection Secret and about servers inside the cluster."""

from frappe_operator.components import mariadb
from frappe_operator.components.database.interface import DATABASE_LABEL, PART, ObservedDatabase
from frappe_operator.components.metadata import retained
from frappe_operator.kube.objects import Manifest
from frappe_operator.kube.reasons import Reason
from frappe_operator.model.database import SERVER_KIND_LABEL, is_our_database, mode_problem
from frappe_operator.model.site import Site, SiteNames


def secret_problem(observed: ObservedDatabase) -> tuple[Reason, str] | None:
    """Reason and message when the connection Secret is of another site, or of another mode, else None."""
    (namespace, name), database, names = observed.site, observed.recorded_name, SiteNames(observed.site.name)
    secret = names.connection
    if database and not is_our_database(database, namespace, name):
        message = f"Secret {secret} names database {database}, which does not belong to this site: delete the Secret"
        return Reason.NAME_CONFLICT, message
    problem = mode_problem(observed.engine, observed.server_kind, secret, names.files)
    return (Reason.INVALID_SPEC, problem) if problem else None


def connection(site: Site, password: str) -> list[Manifest]:
    """The Secret with the connection. Its labels name the database and the kind of a server that the site has alone, so
    that the Secret need not be read."""
    meta = retained(site.owner, site.database.secret, PART)
    # A label value cannot begin with the underscore of the name.
    meta["labels"][DATABASE_LABEL] = site.database.name.strip("_")
    if site.database.server_kind:
        meta["labels"][SERVER_KIND_LABEL] = site.database.server_kind
    return [
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": meta,
            "stringData": {
                "host": site.database.host,
                "port": str(mariadb.PORT),
                "database": site.database.name,
                "username": site.database.username,
                "password": password,
            },
        }
    ]


def tls_arguments(site: Site) -> list[str]:
    """No argument: the server is in the cluster."""
    return []


def configure_arguments(site: Site) -> list[str]:
    """The argument that sets the password of the database user to that of the connection Secret first."""
    return ["--set-password"]


def secret_lost(site: Site) -> str:
    """The message about a lost Secret, which is generated again in the same reconcile."""
    return f"Secret {site.database.secret} was deleted and is generated again with a new password"
