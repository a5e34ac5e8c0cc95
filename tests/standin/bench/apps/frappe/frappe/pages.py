"""The few pages there are, with the addresses of assets as this bench's build named them."""

import html
import json

from frappe.conf import sites_path


def login(site: str) -> str:
    """The login page. It names an asset that is only under node_modules as well, as pages of Frappe do."""
    scripts = [_bundled("login.bundle.js"), "/assets/frappe/node_modules/socket.io/client-dist/socket.io.min.js"]
    return _page("Login", site, [_bundled("website.bundle.css")], scripts, "<form id='login'></form>")


def desk(site: str) -> str:
    """The desk, for those logged in."""
    scripts = [_bundled("desk.bundle.js"), *filter(None, [_bundles().get("erpnext.bundle.js")])]
    return _page("Desk", site, [_bundled("desk.bundle.css")], scripts, "<div id='desk'></div>")


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


def _bundled(name: str) -> str:
    return _bundles()[name]


def _bundles() -> dict[str, str]:
    # Read for each page: gunicorn's view of the assets is the link under sites/.
    return dict(json.loads((sites_path() / "assets/assets.json").read_text()))
