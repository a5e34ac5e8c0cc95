"""The sandbox's command line: `python -m sandbox up|down|status|kubectl`."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

from sandbox import binaries, cluster, debian_packages, enclosure, node, progress, slots, toolchain, wheels
from sandbox.addons import ADDONS, AddonError
from sandbox.cluster import Cluster, Tier, default_tier
from sandbox.control_plane import KubectlError
from sandbox.processes import Process, ProcessError
from sandbox.state import BusyError

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="A Kubernetes on this machine, for demo and tests.",
)

_EXPECTED = (
    AddonError,
    BusyError,
    KubectlError,
    ProcessError,
    binaries.BuildError,
    cluster.DifferentClusterError,
    debian_packages.PackageError,
    enclosure.EnclosureError,
    node.NodeError,
    slots.NoSlotError,
    toolchain.NoGoError,
    wheels.WheelError,
)


def default_root() -> Path:
    """The cluster that is meant when none is named: `$FRAPPE_SANDBOX_STATE`, else one in the user's state folder."""
    chosen = os.environ.get("FRAPPE_SANDBOX_STATE")
    states = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state")
    return Path(chosen) if chosen else states / "frappe-operator-sandbox"


State = Annotated[Path, typer.Option("--state", default_factory=default_root, help="State folder of the cluster.")]

ChosenTier = Annotated[
    Tier, typer.Option("--tier", default_factory=default_tier, help="Parts of the cluster that are started.")
]

With = Annotated[
    str, typer.Option("--with", metavar="NAMES", help=f"Add-ons, separated by commas: {', '.join(ADDONS)}.")
]


@app.command()
def up(state: State, tier: ChosenTier, addons: With = "") -> None:
    """Start a cluster, unless it is running; add-ons are added to one that is running."""
    names = [name.strip() for name in addons.split(",") if name.strip()]
    with progress.shown() as shown:
        found = Cluster(state, shown)
        found.up(tier, addons=names)
        for name, summary in found.state.addons.items():
            shown.note(f"{name}: {summary}")
    typer.echo(f"export KUBECONFIG={Cluster(state, shown).kubeconfig}")


@app.command()
def down(state: State) -> None:
    """Remove the cluster. Only its logs are kept."""
    with progress.shown() as shown:
        if not Cluster(state, shown).down():
            shown.note(f"there is no cluster in {state}")


@app.command()
def status(state: State) -> None:
    """Show what is running. The exit code is 1 unless all of the cluster is running."""
    for other in slots.clusters():
        if other != state.absolute():
            typer.echo(f"(there is another cluster in {other})")
    found = Cluster(state, progress.plain())
    facts = found.state.facts
    if not facts:
        typer.echo(f"there is no cluster in {state}")
        raise typer.Exit(1)
    parts = ", ".join((facts["tier"], *found.state.addons))
    what = f"Kubernetes {facts['kubernetes']} ({parts}) in {found.state.root}"
    typer.echo(f"{what}: {'running' if found.up_as else 'NOT completely running; `up` repairs it'}")
    ports = found.state.ports
    for name in reversed(found.state.processes):
        pid = Process(found.state, name).pid
        typer.echo(f"  {name:24} {f'pid {pid}' if pid else 'HAS ENDED':12} {ports.get(name, '')}")
    typer.echo(f"pods {found.state.addresses.pods}, services {found.state.addresses.services}")
    for name, summary in found.state.addons.items():
        typer.echo(f"{name}: {summary}")
    typer.echo(f"export KUBECONFIG={found.kubeconfig}")
    if not found.up_as:
        raise typer.Exit(1)


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []})
def kubectl(context: typer.Context, state: State) -> None:
    """Run kubectl as administrator of the cluster. Options of kubectl follow `--state`."""
    found = Cluster(state, progress.plain())
    if not found.kubeconfig.exists():
        sys.exit(f"there is no cluster in {state}")
    program = binaries.Binaries.find(["kubectl"], progress.plain())["kubectl"]
    raise typer.Exit(subprocess.run([program, "--kubeconfig", found.kubeconfig, *context.args]).returncode)


def main() -> None:
    """Run the command line; what a person can do something about is said without a traceback."""
    try:
        app()
    except _EXPECTED as error:
        sys.exit(f"sandbox: {error}")


if __name__ == "__main__":
    main()
