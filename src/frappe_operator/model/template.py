"""Templates of a bench: which it keeps, where, and which of them a new site is copied from."""

import json
from collections import Counter
from collections.abc import Iterable
from typing import Literal

import msgspec
from msgspec import Struct

from frappe_operator.api.frappebench import FrappeBenchSpec
from frappe_operator.api.kinds import LiveBench, LiveSite, readable_spec
from frappe_operator.kube.names import GROUP, child, digest
from frappe_operator.model.image import Facts

TEMPLATE_ANNOTATION = f"{GROUP}/template"
"""Annotation of the Job that creates the database of a site: the key of the template that it gives to the site."""

MOST = 4
"""How many templates a bench keeps. Each is one creation of a site, and the lists of apps are the users'."""

State = Literal["Pending", "Making", "Ready", "Failed"]
READY: State = "Ready"


class Template(Struct, frozen=True):
    """One template: the dump of a new site with these apps, made with one image."""

    key: str
    """Fingerprint of image and apps, in names."""
    image: str
    """Reference of the image, by digest if that is known."""
    apps: tuple[str, ...]


class Recorded(Struct, frozen=True, rename="camel"):
    """A template in the status of a bench."""

    key: str = ""
    image: str = ""
    apps: tuple[str, ...] = ()
    state: str = ""
    message: str = ""


class _Status(Struct):
    templates: tuple[Recorded, ...] = ()


def template(facts: Facts, apps: Iterable[str]) -> Template:
    """The template for sites with these apps, in the order in which they are installed."""
    listed = tuple(apps)
    versions = [(app, facts.versions.get(app)) for app in listed]
    return Template(digest(json.dumps([facts.pinned, facts.key, versions]), 12), facts.pinned, listed)


def enabled(spec: FrappeBenchSpec) -> bool:
    """Whether the bench keeps templates; the default is yes."""
    config = spec.site_templates
    return config is None or config.enabled is not False


def templates(facts: Facts, of_bench: Iterable[str], sites: Iterable[LiveSite]) -> list[Template]:
    """The templates of a bench: for its own list of apps, and for the lists that most of its sites have instead.

    `of_bench`: the apps of the bench, frappe first.
    """
    default = _in_image(facts, of_bench)
    lists = Counter(
        _in_image(facts, ("frappe", *spec.apps))
        for site in sites
        if (spec := readable_spec(site)) is not None and spec.apps is not None
    )
    others = sorted((apps for apps in lists if apps != default), key=lambda apps: (-lists[apps], apps))
    return [template(facts, apps) for apps in [default, *others][:MOST]]


def _in_image(facts: Facts, apps: Iterable[str]) -> tuple[str, ...]:
    return tuple(app for app in dict.fromkeys(apps) if app in facts.apps)


def recorded(live: LiveBench) -> dict[str, Recorded]:
    """The templates in the status of a bench, by key; none when the status does not match the schema."""
    try:
        return {each.key: each for each in msgspec.json.decode(live.status_json, type=_Status).templates}
    except msgspec.MsgspecError:
        return {}


def ready(live: LiveBench, wanted: Template) -> bool:
    """Whether a bench has the template."""
    found = recorded(live).get(wanted.key)
    return found is not None and found.state == READY


def job_name(bench: str, template: Template) -> str:
    """Name of the Job that makes a template."""
    return child(bench, f"template-{template.key}")


def scratch_database(namespace: str, bench: str, template: Template) -> str:
    """Name of the database in which a template is made, and of its user."""
    return f"{_prefix(namespace, bench)}{template.key[:8]}"


def store_database(namespace: str, bench: str) -> str:
    """Name of the database in which the templates of a bench are kept."""
    return f"{_prefix(namespace, bench)}{digest('store')}"


def _prefix(namespace: str, bench: str) -> str:
    # No object has such a name: a database of a site never begins like this.
    return f"_{digest(f'{namespace}/{bench}/templates', 16)}_"
