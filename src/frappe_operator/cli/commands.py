"""The commands, their options and their help. Each command imports its implementation when it is called."""

import re
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

import frappe_operator
from frappe_operator.model.settings import Images
from frappe_operator.runtime.process.log import Format, Level
from frappe_operator.runtime.process.settings import Settings

if TYPE_CHECKING:
    from frappe_operator.cli.source import Document

app = typer.Typer(
    name="frappe-operator",
    help="Kubernetes operator for Frappe (ERPNext, HRMS, …): benches and sites as custom resources.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)

Files = Annotated[
    list[str],
    typer.Argument(metavar="FILE", help="YAML files, each with any number of objects; - reads standard input."),
]
Namespace = Annotated[
    str, typer.Option("--namespace", "-n", metavar="NAME", help="Namespace of objects that do not set one.")
]


DEFAULT_SETTINGS, DEFAULT_IMAGES = Settings(), Images()
ENVIRONMENT = "FRAPPE_OPERATOR_"
"""Prefix of the environment variables that set the options of `run`."""


def _without_tag(image: str) -> str:
    """Callback of `--frappe-image`: returns the image. Raises BadParameter if it has a tag or digest, which each bench
    sets."""
    if re.search("[:@][^/]*$", image):
        raise typer.BadParameter("must not contain a tag or digest: each bench sets its own")
    return image


@app.command(short_help="Run the operator.")
def run(
    kubeconfig: Annotated[
        str,
        typer.Option(
            envvar=f"{ENVIRONMENT}KUBECONFIG",
            metavar="FILE",
            help="Kubeconfig file. Default: $KUBECONFIG, the service account of the pod, or ~/.kube/config.",
        ),
    ] = DEFAULT_SETTINGS.kubeconfig,
    namespace: Annotated[
        str,
        typer.Option(
            envvar=f"{ENVIRONMENT}NAMESPACE",
            metavar="NAME",
            help="Namespace of the Lease for leader election. Default: the namespace of the service account.",
        ),
    ] = DEFAULT_SETTINGS.lease_namespace,
    watch_namespace: Annotated[
        list[str] | None,
        typer.Option(
            "--watch-namespace",
            envvar=f"{ENVIRONMENT}WATCH_NAMESPACES",
            metavar="NAME",
            help="Namespace to watch; may be repeated (environment variable: separated by spaces). Default: all.",
        ),
    ] = None,
    lease_name: Annotated[
        str,
        typer.Option(envvar=f"{ENVIRONMENT}LEASE_NAME", metavar="NAME", help="Name of the Lease for leader election."),
    ] = DEFAULT_SETTINGS.lease_name,
    health_address: Annotated[
        str,
        typer.Option(
            envvar=f"{ENVIRONMENT}HEALTH_ADDRESS",
            metavar="IP",
            help="Address that serves /healthz, /readyz and /metrics. In a pod: 0.0.0.0 or ::",
        ),
    ] = DEFAULT_SETTINGS.health_address,
    health_port: Annotated[
        int,
        typer.Option(
            envvar=f"{ENVIRONMENT}HEALTH_PORT",
            min=0,
            max=65535,
            metavar="PORT",
            help="Port of that address. 0 selects a free port.",
        ),
    ] = DEFAULT_SETTINGS.health_port,
    log_format: Annotated[
        Format, typer.Option(envvar=f"{ENVIRONMENT}LOG_FORMAT", help="Format of log lines: JSON, or text for people.")
    ] = DEFAULT_SETTINGS.log_format,
    log_level: Annotated[
        Level, typer.Option(envvar=f"{ENVIRONMENT}LOG_LEVEL", help="Lowest level that is logged.")
    ] = DEFAULT_SETTINGS.log_level,
    workers: Annotated[
        int,
        typer.Option(
            envvar=f"{ENVIRONMENT}WORKERS",
            min=1,
            metavar="COUNT",
            help="Objects of each kind that are reconciled concurrently.",
        ),
    ] = DEFAULT_SETTINGS.workers,
    frappe_image: Annotated[
        str,
        typer.Option(
            envvar=f"{ENVIRONMENT}FRAPPE_IMAGE",
            metavar="IMAGE",
            callback=_without_tag,
            help="Frappe image, without tag, of benches that do not set one.",
        ),
    ] = DEFAULT_IMAGES.frappe,
    mariadb_image: Annotated[
        str,
        typer.Option(
            envvar=f"{ENVIRONMENT}MARIADB_IMAGE", metavar="IMAGE", help="MariaDB image of benches that do not set one."
        ),
    ] = DEFAULT_IMAGES.mariadb,
    redis_image: Annotated[
        str,
        typer.Option(
            envvar=f"{ENVIRONMENT}REDIS_IMAGE", metavar="IMAGE", help="Redis image of benches that do not set one."
        ),
    ] = DEFAULT_IMAGES.redis,
    nginx_image: Annotated[
        str,
        typer.Option(
            envvar=f"{ENVIRONMENT}NGINX_IMAGE", metavar="IMAGE", help="nginx image of the proxy of every bench."
        ),
    ] = DEFAULT_IMAGES.nginx,
    git: Annotated[
        bool,
        typer.Option(
            "--git/--no-git", envvar=f"{ENVIRONMENT}GIT", help="Whether benches may fetch apps from git repositories."
        ),
    ] = DEFAULT_IMAGES.git,
) -> None:
    """Run the operator until it receives SIGTERM.

    Several replicas may run: one is the leader, the others are on standby. The exit code is 1 when the Lease is lost
    to another replica.
    """
    from frappe_operator.cli.run import run as run_operator
    from frappe_operator.runtime.client.errors import AccessError

    settings = Settings(
        kubeconfig=kubeconfig,
        namespaces=tuple(watch_namespace or ()),
        lease_namespace=namespace,
        lease_name=lease_name,
        health_address=health_address,
        health_port=health_port,
        log_format=log_format,
        log_level=log_level,
        workers=workers,
    )
    images = Images(frappe=frappe_image, mariadb=mariadb_image, redis=redis_image, nginx=nginx_image, git=git)
    try:
        raise typer.Exit(run_operator(settings, images))
    except AccessError as error:
        _fail(str(error))


@app.command(short_help="Print the objects that the operator would create for FILE….")
def render(files: Files, namespace: Namespace = "default") -> None:
    """Print the objects that the operator would create for the benches and sites in FILE…. Needs no cluster.

    The bench of each site must be in the files. Passwords are printed as <generated>. What only a cluster can provide,
    such as the content of an image, is assumed and named in a comment.
    """
    from frappe_operator.cli.declared import Declared
    from frappe_operator.cli.render import BenchNotDeclared
    from frappe_operator.cli.render import render as documents
    from frappe_operator.kube.stage import Undecided

    declared = Declared(_read(files), namespace, Images())
    try:
        for document in documents(declared):
            typer.echo(document, nl=False)
    except (Undecided, BenchNotDeclared) as stopped:
        _fail(str(stopped))


@app.command(short_help="Check FILE… as the API server and the operator would.")
def validate(files: Files, namespace: Namespace = "default") -> None:
    """Check the objects in FILE… as the API server and the operator would.

    Each problem is printed as a line `file:line: field: message`. The exit code is 1 if there is a problem.
    """
    from frappe_operator.cli.validate import validate as findings_in

    findings = findings_in(_read(files), namespace)
    for line in findings.lines():
        typer.echo(line)
    raise typer.Exit(1 if findings.problems else 0)


@app.command(short_help="Print the CustomResourceDefinitions.")
def crds() -> None:
    """Print the CustomResourceDefinitions of FrappeBench and FrappeSite.

    Apply them with: frappe-operator crds | kubectl apply --server-side -f -
    """
    from frappe_operator.api import crd
    from frappe_operator.cli import text

    typer.echo(text.stream(crd.definitions()), nl=False)


@app.command(short_help="Print the operator's ServiceAccount, roles and bindings.")
def rbac(
    namespace: Annotated[
        str, typer.Option("--namespace", metavar="NAME", help="Namespace that the operator runs in.")
    ] = "frappe-operator",
    watch_namespace: Annotated[
        list[str] | None,
        typer.Option(
            "--watch-namespace",
            metavar="NAME",
            help="Namespace to watch; may be repeated. Default: all namespaces, with a ClusterRole.",
        ),
    ] = None,
) -> None:
    """Print the operator's ServiceAccount, roles and bindings: the permissions its code declares, no wildcards."""
    from frappe_operator.cli import text
    from frappe_operator.cli.rbac import manifests

    typer.echo(text.stream(manifests(namespace, watch_namespace or [])), nl=False)


@app.command()
def version() -> None:
    """Print the operator's version."""
    typer.echo(frappe_operator.__version__)


def _read(files: list[str]) -> "list[Document]":
    from frappe_operator.cli import source

    try:
        return [document for file in files for document in source.read(file)]
    except source.Unreadable as error:
        _fail(str(error))


def _fail(message: str) -> NoReturn:
    typer.echo(f"error: {message}", err=True)
    raise typer.Exit(1)
