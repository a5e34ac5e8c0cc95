"""`python -m frappe.utils.bench_helper frappe [--site S] COMMAND …`: what the bench program executes."""

import os
import sys
import traceback

import click

from frappe import commands
from frappe.commands import background, config, site
from frappe.conf import all_sites, common_conf
from frappe.exceptions import FrappeError, IncorrectSitePath


def chosen_sites(asked: str | None) -> list[str]:
    """The sites a command is for: all, the one asked for, or the default one."""
    if asked == "all":
        return all_sites()
    one = asked or os.environ.get("FRAPPE_SITE") or common_conf().get("default_site")
    return [str(one)] if one else []


@click.group(name="frappe")
@click.option("--site")
@click.option("--profile", is_flag=True)
@click.option("--verbose", is_flag=True)
@click.option("--force", is_flag=True)
@click.pass_context
def frappe(context: click.Context, site: str | None, profile: bool, verbose: bool, force: bool) -> None:
    """Commands on sites."""
    context.obj = commands.Asked(chosen_sites(site), force)


for module in (site, config, background):
    for command in vars(module).values():
        if isinstance(command, click.Command):
            frappe.add_command(command)


def main() -> None:
    """Run a command. Ends with 1 when a site refuses, 2 when the command line makes no sense."""
    try:
        click.Group(commands={"frappe": frappe})(prog_name="bench")
    except IncorrectSitePath as error:
        click.secho(f"Site {str(error).removesuffix(' does not exist')} does not exist!", fg="yellow")
        sys.exit(1)
    except FrappeError as error:
        click.secho(str(error), fg="yellow")
        sys.exit(1)
    except Exception:
        traceback.print_exc()
        sys.exit(1)


if __name__ == "__main__":
    main()
