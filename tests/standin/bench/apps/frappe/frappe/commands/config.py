"""Commands on site_config.json and on what is only a key in it."""

import ast
import json
from typing import Any

import click

from frappe.commands import Asked, asked
from frappe.conf import sites_path, write_key


@click.command("set-config")
@click.argument("key")
@click.argument("value")
@click.option("--global", "-g", "everywhere", is_flag=True)
@click.option("--parse", "-p", is_flag=True)
@asked
def set_config(asked: Asked, key: str, value: str, everywhere: bool, parse: bool) -> None:
    """Set a value in a site's site_config.json, or in common_site_config.json"""
    if everywhere:
        _write("", key, value, parse)
    else:
        for site, _ in asked.each():
            _write(site, key, value, parse)


def _write(site: str, key: str, value: str, parse: bool) -> None:
    file = sites_path() / (f"{site}/site_config.json" if site else "common_site_config.json")
    if parse:
        content = json.loads(file.read_text()) if file.exists() else {}
        content[key] = ast.literal_eval(value)
        file.write_text(json.dumps(content, indent=1, sort_keys=True))
    else:
        words: dict[str, Any] = {"0": 0, "1": 1, "true": True, "false": False, "None": None}
        write_key(file, key, words.get(value, value))


@click.command("show-config")
@click.option("--format", "-f", "form", default="text", type=click.Choice(["text", "json"]))
@asked
def show_config(asked: Asked, form: str) -> None:
    """Print the merged configuration of each site, secrets included"""
    shown = dict(asked.each())
    if form == "json":
        print(json.dumps(shown))
        return
    for site, conf in shown.items():
        click.secho(f"Site {site}", fg="yellow")
        for key in sorted(conf):
            print(f"{key}\t{conf[key]}")


@click.command("set-maintenance-mode")
@click.argument("state", type=click.Choice(["on", "off"]))
@asked
def set_maintenance_mode(asked: Asked, state: str) -> None:
    """Put a site into maintenance mode, or out of it"""
    for site, _ in asked.each():
        write_key(sites_path() / site / "site_config.json", "maintenance_mode", int(state == "on"))
