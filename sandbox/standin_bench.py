"""What building leaves behind in a bench: hashed assets and their manifest, the links to them, apps.txt, folders."""

import hashlib
import json
import re
from base64 import b32encode
from collections.abc import Collection, Sequence
from pathlib import Path

FOLDERS = ("sites", "logs", "config/pids", "assets")


ON_REQUEST = "on_request_"
"""Prefix of the patches that no release has, unless it asks for them."""


def furnish(bench: Path, inside: str, version: str, fail: str, patches: Collection[str] = ()) -> None:
    """Turn the sources of the stand-in in `bench` into a built bench, which the image has at `inside`.

    `version` becomes Frappe's; a `fail` that is not empty is what this image is told to fail at. `patches`: those on
    request that the image has, which come last.
    """
    for folder in FOLDERS:
        (bench / folder).mkdir(parents=True, exist_ok=True)
    init = bench / "apps/frappe/frappe/__init__.py"
    init.write_text(re.sub(r'__version__ = ".*"', f'__version__ = "{version}"', init.read_text()))
    for patch in sorted((bench / "apps/frappe/frappe/patches").glob("v*.sql")):
        # v15_52_what_it_does.sql came with 15.52: an older release does not have it yet.
        if _numbers(patch.name.removeprefix("v").split("_")) > _numbers(version.split(".")):
            patch.unlink()
    for patch in (bench / "apps/frappe/frappe/patches").glob(f"{ON_REQUEST}*.sql"):
        if patch.stem.removeprefix(ON_REQUEST) not in patches:
            patch.unlink()
    present = (bench / "apps/frappe/frappe/patches").glob("*.sql")
    names = sorted((patch.stem for patch in present), key=lambda name: (name.startswith(ON_REQUEST), name))
    (bench / "apps/frappe/frappe/patches.txt").write_text("".join(f"frappe.patches.{name}\n" for name in names))
    apps = ["frappe", *sorted(path.name for path in (bench / "apps").iterdir() if path.name != "frappe")]
    packages = bench / "env/lib/python3.11/site-packages"
    packages.mkdir(parents=True, exist_ok=True)
    manifest: dict[str, str] = {}
    for app in apps:
        (packages / f"{app}.pth").write_text(f"{inside}/apps/{app}\n")
        (bench / "assets" / app).symlink_to(f"{inside}/apps/{app}/{app}/public")
        manifest |= _build(bench / f"apps/{app}/{app}/public", app, version)
    (bench / "apps/frappe/frappe/public/node_modules").symlink_to(f"{inside}/apps/frappe/node_modules")
    (bench / "assets/assets.json").write_text(json.dumps(manifest, indent=1))
    (bench / "sites/apps.txt").write_text("".join(f"{app}\n" for app in apps))
    (bench / "sites/apps.json").write_text(json.dumps({app: {"branch": "version-15"} for app in apps}, indent=1))
    (bench / "sites/common_site_config.json").write_text("{}")
    if fail:
        (bench / "standin-fail.json").write_text(json.dumps(fail))


def _numbers(words: Sequence[str]) -> tuple[int, ...]:
    return tuple(int(word) for word in words[:2])


def _build(public: Path, app: str, version: str) -> dict[str, str]:
    """Write `dist/<kind>/<name>.bundle.<HASH>.<kind>` for each bundle; return name → URL, as assets.json has it."""
    built = {}
    for source in sorted(public.glob("*/*.bundle.*")):
        kind = source.suffix.lstrip(".")
        content = f"/* {app}, built for Frappe {version} */\n{source.read_text()}"
        fingerprint = b32encode(hashlib.sha256(content.encode()).digest()).decode()[:8]
        name = f"{source.stem}.{fingerprint}.{kind}"
        target = public / "dist" / kind / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(content)
        built[source.name] = f"/assets/{app}/dist/{kind}/{name}"
    return built
