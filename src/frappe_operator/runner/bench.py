"""The bench in the image: its apps, their versions, and running Frappe's commands."""

import ast
import importlib.metadata
import json
import re
from pathlib import Path

from . import child, credentials, paths
from .outcome import Blocked


def apps() -> list[str]:
    """The apps of the image: frappe first, then in the order of its apps.txt; then those of mounted layers. Raises
    Blocked."""
    present = sorted(app.name for app in paths.APPS.iterdir() if (app / app.name / "__init__.py").is_file())
    if "frappe" not in present:
        raise Blocked("ImageInvalid", f"The image contains no Frappe in {paths.APPS}: use an image of a Frappe bench")
    try:
        listed = (paths.SITES / "apps.txt").read_text(encoding="utf-8").split()
    except FileNotFoundError:
        listed = present
    layered = [app for app in present if (paths.APPS / app / paths.LAYER_RECORD).is_file()]
    return [app for app in dict.fromkeys(["frappe", *listed, *layered]) if app in present]


def version(app: str) -> str:
    """Version of an app, read without running its code; empty if it declares none."""
    value = assigned(paths.APPS / app / app / "__init__.py", "__version__")
    if isinstance(value, ast.Constant) and isinstance(value.value, str):
        return value.value
    try:
        return importlib.metadata.version(app)
    except importlib.metadata.PackageNotFoundError:
        return ""


def versions() -> dict[str, str]:
    """The versions of the apps that the image contains. Raises Blocked."""
    return {app: version(app) for app in apps()}


def required_apps(app: str) -> list[str]:
    """The apps that an app requires, read from its hooks without running them; none if it declares none."""
    value = assigned(paths.APPS / app / app / "hooks.py", "required_apps")
    listed = value.elts if isinstance(value, (ast.List, ast.Tuple)) else []
    words = [each.value for each in listed if isinstance(each, ast.Constant) and isinstance(each.value, str)]
    # `erpnext`, `frappe/erpnext` and `https://github.com/frappe/erpnext.git` are all the app erpnext.
    return [word.rstrip("/").rpartition("/")[2].partition("@")[0].removesuffix(".git") for word in words]


def major(version: str) -> int:
    """The major version: 15 for 15.51.1. Raises Blocked for an invalid or unsupported version."""
    match = re.match(r"v?(\d+)", version)
    if match is None:
        raise Blocked(
            "VersionNotSupported",
            f"Frappe reports the version {version!r}, which is not a version: use Frappe 15 or 16",
        )
    if int(match[1]) < 15:
        raise Blocked("VersionNotSupported", f"Frappe {version} is not supported: use an image with Frappe 15 or newer")
    return int(match[1])


def driver_verifies() -> bool:
    """Whether Frappe's driver verifies the certificate of a database server by the key db_ssl_ca alone. Older versions
    ignore it without a certificate of the client, and connect without TLS; they do not know the key that is looked for
    here."""
    frappe = paths.APPS / "frappe" / "frappe"
    sources = (frappe / "database.py", *frappe.glob("database/**/*.py"))
    return any(each.is_file() and "db_ssl_check_hostname" in each.read_text(encoding="utf-8") for each in sources)


def assets() -> Path:
    """The image's built assets; older images keep them in `sites/`. Raises Blocked."""
    for folder in (paths.BENCH / "assets", paths.SITES / "assets"):
        if folder.is_dir():
            return folder
    raise Blocked(
        "ImageInvalid", f"The image contains no built assets in {paths.BENCH}: use an image of a bench that was built"
    )


def frappe(*arguments: str, timeout: float | None = None) -> child.Ended:
    """Runs one of Frappe's commands, as the bench CLI would. After `timeout` seconds the command is ended."""
    # Whatever Frappe may print of its configuration is known before.
    for config in (*paths.SITES.glob("common_site_config.json"), *paths.SITES.glob("*/site_config.json")):
        credentials.learn_config(json.loads(config.read_text(encoding="utf-8")))
    python = str(paths.BENCH / "env" / "bin" / "python")
    return child.follow(
        [python, "-m", "frappe.utils.bench_helper", "frappe", *arguments], cwd=paths.SITES, timeout=timeout
    )


def assigned(source: Path, name: str) -> ast.expr | None:
    """The literal value that a module assigns to a name; None when it assigns none or is not valid Python."""
    try:
        body = ast.parse(source.read_text(encoding="utf-8")).body
    except (FileNotFoundError, SyntaxError):
        return None
    for statement in body:
        if isinstance(statement, (ast.Assign, ast.AnnAssign)):
            targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
            if name in {ast.unparse(target) for target in targets}:
                return statement.value
    return None
