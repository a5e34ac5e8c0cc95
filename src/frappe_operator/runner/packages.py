"""Python packages that an app needs and the image lacks: installed beside the app, from wheels only.

No code of a package runs: pip may not build anything. No package of the image is replaced: pip must keep to its
versions.
"""

import importlib.metadata
import os
import platform
import re
import shutil
import sys
import tempfile
from collections.abc import Collection, Iterable
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from . import child, paths
from .git import NO_SPACE, UNREACHABLE
from .log import say
from .outcome import Blocked, Retry

NO_INDEX = re.compile(
    f"NewConnectionError|Max retries exceeded|ConnectTimeout|ReadTimeout|SSLError|{UNREACHABLE.pattern}"
)
CONFLICT = re.compile("ResolutionImpossible|conflicting dependencies|user requested \\(constraint\\)")


def project(source: Path) -> dict[str, Any]:
    """The content of pyproject.toml; empty without one. Raises Blocked when it is not valid."""
    try:
        text = (source / "pyproject.toml").read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}
    try:
        toml: Any = import_module("tomllib" if sys.version_info >= (3, 11) else "pip._vendor.tomli")
    except ImportError:
        raise Blocked("ImageInvalid", "the image has a Python before 3.11 without pip: use an image with pip") from None
    try:
        found: dict[str, Any] = toml.loads(text)
    except ValueError as error:
        raise Blocked("AppInvalid", f"pyproject.toml is not valid: {error}") from None
    return found


def requirements(source: Path, project: dict[str, Any], apps: Collection[str]) -> list[str]:
    """The packages that an app declares, without those that are apps of the bench. Raises Blocked."""
    table = project.get("project", {})
    if "dependencies" in table:
        lines = [str(each) for each in table["dependencies"]]
    else:
        try:
            lines = (source / "requirements.txt").read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            lines = []
    found = []
    for line in lines:
        text = line.partition(" #")[0].strip()
        if not text or text.startswith("#"):
            continue
        if text.startswith("-"):
            say(f"Ignoring the option {text!r} of requirements.txt")
            continue
        try:
            requirement = _packaging("requirements").Requirement(text)
        except ValueError as error:
            raise Blocked("AppInvalid", f"the dependency {text!r} is not valid: {error}") from None
        if canonical(requirement.name) in {canonical(app) for app in apps}:
            continue
        if requirement.url:
            raise Blocked(
                "DependencyUnavailable",
                f"the dependency {requirement.name} comes from a URL, but only wheels of the package index are "
                "installed: use an image that contains it",
            )
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
            found.append(str(requirement))
    return found


def missing(requirements: Iterable[str]) -> list[str]:
    """The requirements that the packages of the image do not satisfy."""
    return [each for each in requirements if not _satisfied(_packaging("requirements").Requirement(each))]


def _satisfied(requirement: Any) -> bool:
    try:
        version = importlib.metadata.version(requirement.name)
    except importlib.metadata.PackageNotFoundError:
        return False
    # What an extra adds is left to pip.
    return not requirement.extras and requirement.specifier.contains(version, prereleases=True)


def install(requirements: list[str], target: Path, apps: Collection[str]) -> list[str]:
    """Installs packages and what they need into `target`. Returns their names and versions. Raises Blocked and
    Retry."""
    target.mkdir(parents=True)
    if not requirements:
        return []
    if find_spec("pip") is None:
        raise Blocked(
            "ImageInvalid",
            f"the image contains no pip for {sys.executable}, which is needed to install {', '.join(requirements)}: "
            "use an image with pip, or with these packages",
        )
    say(f"Installing {', '.join(requirements)}")
    present = {canonical(each.metadata["Name"]): each.version for each in importlib.metadata.distributions()}
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        # As files: a requirement is never taken for an option.
        (folder / "requirements.txt").write_text("".join(f"{each}\n" for each in requirements), encoding="utf-8")
        pinned = [f"{name}=={version}" for name, version in present.items() if _is_version(version)]
        ours = {canonical(app) for app in apps}
        (folder / "constraints.txt").write_text(
            "".join(f"{each}\n" for each in pinned if each.partition("==")[0] not in ours), encoding="utf-8"
        )
        ended = child.follow(_pip(folder), cwd=folder, env=_environment())
        if ended.code != 0:
            raise _trouble(requirements, ended)
        installed = _collect(folder / "prefix", target)
    if replaced := sorted(name for name in installed if present.get(name, installed[name]) != installed[name]):
        raise Blocked("DependencyUnavailable", f"pip would replace {', '.join(replaced)} of the image")
    return [f"{name} {version}" for name, version in sorted(installed.items())]


def _pip(folder: Path) -> list[str]:
    options = (
        f"--prefix={folder / 'prefix'}",
        "--only-binary=:all:",
        f"--constraint={folder / 'constraints.txt'}",
        f"--requirement={folder / 'requirements.txt'}",
        "--no-input",
        "--no-cache-dir",
        "--no-compile",
        "--no-warn-script-location",
        "--disable-pip-version-check",
        "--progress-bar=off",
        "--retries=2",
        "--timeout=30",
    )
    return [sys.executable, "-m", "pip", "install", *options]


def _environment() -> dict[str, str]:
    return {"PIP_CONFIG_FILE": os.devnull, **os.environ, "PIP_USER": "0"}


def _collect(prefix: Path, target: Path) -> dict[str, str]:
    """Moves what was installed below `prefix` into `target`. Returns the versions of the packages by name."""
    for pattern in ("site-packages", "dist-packages"):
        for folder in sorted(prefix.glob(f"**/{pattern}")):
            for entry in sorted(folder.iterdir()):
                if not (target / entry.name).exists():
                    shutil.move(entry, target / entry.name)
                elif entry.is_dir():
                    shutil.copytree(entry, target / entry.name, dirs_exist_ok=True)
    found = importlib.metadata.distributions(path=[str(target)])
    return {canonical(each.metadata["Name"]): each.version for each in found}


def _trouble(requirements: list[str], ended: child.Ended) -> Blocked | Retry:
    said, everything = ended.last(3), f"{ended.out}\n{ended.err}"
    if NO_SPACE.search(everything):
        return Retry("StorageFailed", f"No space left on the node for the packages: {said}")
    if NO_INDEX.search(everything):
        return Retry("IndexUnreachable", f"the package index cannot be reached: {said}")
    if CONFLICT.search(everything):
        return Blocked(
            "DependencyUnavailable",
            f"{', '.join(requirements)} cannot be installed beside the packages of the image, none of which may be "
            f"replaced: {said}. Use another version of the app, or an image that contains it",
        )
    if "No matching distribution" in everything or "Could not find a version" in everything:
        return Blocked(
            "DependencyUnavailable",
            f"there is no wheel for Python {platform.python_version()} on {platform.machine()}: {said}. Use another "
            "version of the app, or an image that contains the package",
        )
    return Retry("DependencyUnavailable", f"pip {ended.how}: {said}")


def fits(version: str, bounds: str) -> bool:
    """Whether a version is within bounds such as `>=15.0.0,<16.0.0`; true when either cannot be understood."""
    try:
        return bool(_packaging("specifiers").SpecifierSet(bounds).contains(version, prereleases=True))
    except ValueError:
        say(f"Not compared: version {version!r} with the bounds {bounds!r}")
        return True


def canonical(name: str) -> str:
    """The name of a package in the spelling of the package index."""
    return re.sub("[-_.]+", "-", name).lower()


def _is_version(version: str) -> bool:
    try:
        _packaging("version").Version(version)
    except ValueError:
        return False
    return True


def _packaging(module: str) -> Any:
    """A module of `packaging`, which images have on its own or within pip. Raises Blocked."""
    for package in ("packaging", "pip._vendor.packaging"):
        try:
            return import_module(f"{package}.{module}")
        except ImportError:
            continue
    raise Blocked(
        "ImageInvalid", f"the image contains neither packaging nor pip in {paths.BENCH}/env: use one that does"
    )
