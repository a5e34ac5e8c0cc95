"""`build-app`: fetches an app that the image lacks and builds it into a layer on the common storage of the bench.

A layer is a folder with the source of the app, as it would be in `apps/` of an image. The folder `.frappe-operator` in
it contains the Python packages that the image lacks, the names of built assets, and a record of the layer, which is
written last. It is built where pods will mount it, then copied and renamed: a layer is complete or absent.

The steps run no code of the app: git runs no hooks, pip builds nothing, and node runs the bundler of the image.
"""

import ast
import compileall
import errno
import hashlib
import json
import os
import platform
import py_compile
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from . import bench, child, durable, git, packages, paths
from .log import say
from .outcome import Blocked, Retry, Stopped

RECORD = paths.LAYER_RECORD
PACKAGES = Path(paths.OURS) / "packages"
MANIFESTS = ("assets.json", "assets-rtl.json")
"""Files with the names of built assets, in `assets/` of a bench and in the folder `.frappe-operator` of a layer."""
LOCK_SECONDS = 600
NPM_RANGE = re.compile(r"[A-Za-z0-9.^~<>=*| -]+")
SKIPPED = ("node_modules", ".git")


def prepare(common: Path) -> dict[str, Any]:
    """Creates the folder of the layers as the user of the pod: the kubelet would create it with root as its owner."""
    (common / "layers").mkdir(mode=0o755, exist_ok=True)
    return {}


def build(app: str, key: str, url: str, branch: str, version: str, layers: Path, others: list[str]) -> dict[str, Any]:
    """Builds the layer `key` in the folder `layers`, or finds that it exists. Raises Blocked and Retry.

    `others`: the other apps that the sites have besides those of the image.
    """
    os.umask(0o022)  # the proxy reads as another user
    with durable.locked(layers / f".lock-{key}", LOCK_SECONDS):
        record = read(layers / key, key)
        if record is not None and record["checksum"] == _summary(layers / key)[0]:
            say(f"Layer {key} exists, with {app} {record['version']} of commit {record['commit']}")
        else:
            record = _make(app, key, url, branch, version, layers, others)
    return {"layer": {name: value for name, value in record.items() if name != "checksum"}}


def _make(app: str, key: str, url: str, branch: str, version: str, layers: Path, others: list[str]) -> dict[str, Any]:
    source = paths.APPS / app
    # A mounted folder: an earlier run of this container may have left something in it.
    for entry in source.iterdir():
        shutil.rmtree(entry) if entry.is_dir() and not entry.is_symlink() else entry.unlink()
    with _step(app, "fetch"):
        commit = git.fetch(url, branch, version, source)
    with _step(app, "check"):
        _tidy(source)
        project = packages.project(source)
        present = [each for each in dict.fromkeys([*bench.apps(), *others]) if each != app]
        check(app, source, project, present)
    with _step(app, "packages"):
        needed = packages.missing(packages.requirements(source, project, [app, *present]))
        installed = packages.install(needed, source / PACKAGES, [app, *present])
        say(f"Packages in the layer: {', '.join(installed) or 'none'}")
    with _step(app, "assets"):
        note = _build_assets(app, source)
    with _step(app, "publish"):
        compileall.compile_dir(
            source, quiet=2, workers=1, invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH
        )
        record = {
            "app": app,
            "key": key,
            "url": url,
            "ref": branch or version or "HEAD",
            "commit": commit,
            "version": bench.version(app) or str(project.get("project", {}).get("version", "")),
            "note": note,
        }
        return _publish(source, layers, record)


@contextmanager
def _step(app: str, name: str) -> Iterator[None]:
    """Names the app and the step in the message of a failure."""
    say(f"{app}: {name}")
    try:
        yield
    except Stopped as stop:
        stop.message = f"{app}, {name}: {stop.message}"
        raise
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise Retry(
            "StorageFailed",
            f"{app}, {name}: no space left for {error.filename or 'the layer'}: increase storage.size of the bench",
        ) from error


def _tidy(source: Path) -> None:
    """Removes what must not be in a layer: links that lead out of it, and what only the operator may write."""
    ours = source / paths.OURS
    if ours.is_symlink() or ours.is_file():
        ours.unlink()
    elif ours.is_dir():
        shutil.rmtree(ours)
    root = os.path.realpath(source) + os.sep
    for folder, folders, files in os.walk(source):
        for name in (*folders, *files):
            path = os.path.join(folder, name)
            if os.path.islink(path) and not os.path.realpath(path).startswith(root):
                say(f"Not in the layer: {os.path.relpath(path, source)} links to {os.readlink(path)}")
                os.unlink(path)
    ours.mkdir()


def check(app: str, source: Path, project: dict[str, Any], present: list[str]) -> None:
    """Checks whether the source is the app, and whether it fits the image. `present`: all other apps of the bench.
    Raises Blocked."""
    if not ((source / app / "__init__.py").is_file() and (source / app / "hooks.py").is_file()):
        found = sorted(hooks.parent.name for hooks in source.glob("*/hooks.py"))
        contained = f"but the app {', '.join(found)}" if found else "and no other app"
        raise Blocked(
            "AppInvalid",
            f"the repository contains no app {app} ({app}/hooks.py), {contained}: correct the name or the URL",
        )
    name = bench.assigned(source / app / "hooks.py", "app_name")
    if isinstance(name, ast.Constant) and str(name.value) != app:
        raise Blocked(
            "AppInvalid", f"the app calls itself {name.value!s} (hooks.py: app_name): correct the name or the URL"
        )
    python = str(project.get("project", {}).get("requires-python", ""))
    if python and not packages.fits(platform.python_version(), python):
        raise Blocked(
            "VersionNotSupported",
            f"needs Python {python}, but the image has {platform.python_version()}: use another branch or image",
        )
    bounds = project.get("tool", {}).get("bench", {}).get("frappe-dependencies", {})
    for other in dict.fromkeys(["frappe", *bench.required_apps(app), *bounds]):
        bound = str(bounds.get(other, ""))
        if other not in present:
            raise Blocked(
                "AppRequired",
                f"needs the app {other}, which is neither in the image nor among the apps of the bench: add {other} to "
                "them",
            )
        there = bench.version(other)
        if bound and there and not packages.fits(there, bound):
            raise Blocked(
                "VersionNotSupported",
                f"needs {other} {bound}, but the image has {other} {there}: use a branch that fits (gitBranch), or "
                "another image",
            )


def _build_assets(app: str, source: Path) -> str:
    """Links the public files of an app where they are served, and builds its bundles with the bundler of the image.
    Returns what could not be built; empty when there is nothing. Raises Blocked."""
    public, assets = source / app / "public", source / paths.OURS / "assets"
    assets.mkdir()
    notes = []
    package = _package_json(source)
    if public.is_dir():
        (assets / app).symlink_to(f"../../{app}/public")
        if any(each for each in public.rglob("*.bundle.*") if "node_modules" not in each.parts):
            esbuild = paths.APPS / "frappe" / "esbuild"
            built = esbuild.is_dir() and (paths.APPS / "frappe" / "node_modules").is_dir() and shutil.which("node")
            if built:
                _bundle(app, source, esbuild, package)
            else:
                notes.append("its bundles are not built, because the image contains no esbuild")
    if "build" in package.get("scripts", {}):
        notes.append("its own frontend (script build of package.json) is not built")
    for note in notes:
        say(f"{app}: {note}")
    return "; ".join(notes)


def _package_json(source: Path) -> dict[str, Any]:
    try:
        found = json.loads((source / "package.json").read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _bundle(app: str, source: Path, esbuild: Path, package: dict[str, Any]) -> None:
    """Runs the bundler of Frappe for one app. It reads the list of apps in `sites/` and writes below `sites/assets`."""
    assets = paths.SITES / "assets"
    shutil.rmtree(assets, ignore_errors=True)
    assets.mkdir()
    present = list(dict.fromkeys([*bench.apps(), app]))
    (paths.SITES / "apps.txt").write_text("".join(f"{each}\n" for each in present), encoding="utf-8")
    (paths.SITES / "common_site_config.json").write_text("{}", encoding="utf-8")
    for each in present:
        (assets / each).symlink_to(paths.APPS / each / each / "public")
    modules = source / "node_modules"
    with tempfile.TemporaryDirectory() as scratch:
        if wanted := _npm_packages(package):
            _npm(Path(scratch), wanted)
            if modules.is_dir() and not modules.is_symlink():
                shutil.rmtree(modules)
            modules.symlink_to(Path(scratch) / "node_modules")
        # With this variable it does not look for Redis.
        env = {**os.environ, "FRAPPE_DOCKER_BUILD": "1"}
        ended = child.follow(["node", str(esbuild), "--production", "--apps", app], cwd=esbuild.parent, env=env)
        if modules.is_symlink():
            modules.unlink()
    if ended.code != 0:
        raise Blocked(
            "AssetsFailed",
            f"esbuild of the image exited with {ended.code}: {ended.last(3)}. Use another version of the app, or an "
            "image that contains it",
        )
    for name in MANIFESTS:
        if (assets / name).is_file():
            entries = json.loads((assets / name).read_text(encoding="utf-8"))
            own = {bundle: url for bundle, url in entries.items() if str(url).startswith(f"/assets/{app}/")}
            durable.write(source / paths.OURS / name, json.dumps(own, indent=1, sort_keys=True), 0o644)


def _npm_packages(package: dict[str, Any]) -> dict[str, str]:
    """The npm packages that an app declares, except for those that do not come from the registry."""
    found = {}
    for name, wanted in (package.get("dependencies") or {}).items():
        if isinstance(wanted, str) and NPM_RANGE.fullmatch(wanted):
            found[name] = wanted
        else:
            say(f"Not installed: the npm package {name}, which does not come from the registry")
    return found


def _npm(folder: Path, wanted: dict[str, str]) -> None:
    """Installs npm packages into `folder`, without running their scripts. Raises Blocked and Retry."""
    names = ", ".join(wanted)
    if shutil.which("npm") is None:
        say(f"The image contains no npm to install {names}")
        return
    (folder / "package.json").write_text(json.dumps({"private": True, "dependencies": wanted}), encoding="utf-8")
    options = ("--ignore-scripts", "--omit=dev", "--no-audit", "--no-fund", "--no-package-lock", "--no-progress")
    ended = child.follow(["npm", "install", *options, f"--cache={folder / '.npm'}"], cwd=folder)
    if ended.code != 0:
        said = ended.last(3)
        if re.search("ENOTFOUND|EAI_AGAIN|ETIMEDOUT|ECONNREFUSED|ECONNRESET|network", f"{ended.out}\n{ended.err}"):
            raise Retry("IndexUnreachable", f"the npm registry cannot be reached for {names}: {said}")
        raise Blocked("DependencyUnavailable", f"npm cannot install {names}: {said}")


def _publish(source: Path, layers: Path, record: dict[str, Any]) -> dict[str, Any]:
    """Copies the layer to the common storage and gives it its name last."""
    key = record["key"]
    for left in layers.glob(f".*-{key}-*"):
        shutil.rmtree(left, ignore_errors=True)
    making = Path(tempfile.mkdtemp(prefix=f".making-{key}-", dir=layers))
    shutil.copytree(source, making, symlinks=True, ignore=shutil.ignore_patterns(*SKIPPED), dirs_exist_ok=True)
    # The copy has the mode of the mounted folder, which every user may write to.
    making.chmod(0o755)
    checksum, size = _summary(making)
    record = {**record, "size": size, "checksum": checksum}
    os.sync()
    durable.write(making / RECORD, json.dumps(record, indent=1, sort_keys=True), 0o644)
    if (layers / key).exists():
        # Incomplete or changed. Pods that mount it keep it until they end.
        durable.remove(layers / key / RECORD) if (layers / key / RECORD).exists() else None
        (layers / key).rename(layers / f".broken-{key}-{making.name[-8:]}")
    making.rename(layers / key)
    durable.sync_folder(layers)
    say(f"Layer {key}: {record['app']} {record['version']}, commit {record['commit']}, {size} bytes")
    return record


def read(layer: Path, key: str) -> dict[str, Any] | None:
    """The record of a layer; None when it is missing or that of another layer."""
    try:
        record: dict[str, Any] = json.loads((layer / RECORD).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return record if isinstance(record, dict) and record.get("key") == key else None


def _summary(layer: Path) -> tuple[str, int]:
    """Checksum and size of a layer without its record."""
    digest, size = hashlib.sha256(), 0
    for path in sorted(layer.rglob("*")):
        name = path.relative_to(layer)
        if name == RECORD:
            continue
        if path.is_symlink():
            digest.update(f"{name} -> {os.readlink(path)}\n".encode())
        elif path.is_file():
            content = hashlib.sha256(path.read_bytes()).hexdigest()
            size += path.stat().st_size
            digest.update(f"{name} {content}\n".encode())
    return digest.hexdigest(), size


def remove(layers: Path, keep: list[str]) -> dict[str, Any]:
    """Removes the layers that are not in `keep`."""
    for layer in sorted(layers.iterdir()):
        if re.fullmatch("[0-9a-f]{16}", layer.name) and layer.name not in keep:
            say(f"Removing layer {layer.name}")
            # First of all: a part of it with a record would be taken for the whole.
            durable.remove(layer / RECORD) if (layer / RECORD).exists() else None
            shutil.rmtree(layer, ignore_errors=True)
            (layers / f".lock-{layer.name}").unlink(missing_ok=True)
    return {}
