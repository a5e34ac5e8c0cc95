"""The few pages there are, with the addresses of assets as the bench's cache or its build names them."""

import html
import json
import pickle

import redis

from frappe.conf import site_conf, sites_path


def login(site: str) -> str:
    """The login page. It names an asset that is only under node_modules as well, as pages of Frappe do."""
    scripts = [_bundled(site, "login.bundle.js"), "/assets/frappe/node_modules/socket.io/client-dist/socket.io.min.js"]
    return _page("Login", site, [_bundled(site, "website.bundle.css")], scripts, "<form id='login'></form>")


def desk(site: str, apps: list[str]) -> str:
    """The desk, for those logged in, with the scripts of the installed apps."""
    scripts = [_bundled(site, "desk.bundle.js"), *_of_apps(site, apps)]
    return _page("Desk", site, [_bundled(site, "desk.bundle.css")], scripts, "<div id='desk'></div>")


def message(title: str, text: str) -> str:
    return _page(title, "", [], [], f"<h1>{html.escape(title)}</h1><p>{html.escape(text)}</p>")


def _page(title: str, site: str, styles: list[str], scripts: list[str], body: str) -> str:
    links = "".join(f'<link rel="stylesheet" href="{url}">' for url in styles)
    links += '<link rel="icon" href="/assets/frappe/images/frappe-favicon.svg">'
    sources = "".join(f'<script src="{url}"></script>' for url in scripts)
    return (
        f'<!DOCTYPE html><html lang="en"><head><title>{html.escape(title)}</title>{links}</head>'
        f'<body data-site="{html.escape(site)}">{body}{sources}</body></html>\n'
    )


def _bundled(site: str, name: str) -> str:
    return _bundles(site)[name]


def _of_apps(site: str, apps: list[str]) -> list[str]:
    bundles = _bundles(site)
    return [bundles[name] for app in apps if app != "frappe" and (name := f"{app}.bundle.js") in bundles]


def _bundles(site: str) -> dict[str, str]:
    """What assets are called: as the bench's Redis has it, whichever image's pod wrote it there; there is no end to it.

    Without Redis, and when there is nothing in it: as this bench's build says, under the link in sites/.
    """
    cache = redis.from_url(site_conf(site)["redis_cache"])
    try:
        cached = cache.get("assets_json")
    except redis.ConnectionError:
        return _built()
    if cached is not None:
        return dict(pickle.loads(cached))  # noqa: S301 - as Frappe does it
    cache.set("assets_json", pickle.dumps(_built()))
    return _built()


def _built() -> dict[str, str]:
    return dict(json.loads((sites_path() / "assets/assets.json").read_text()))
