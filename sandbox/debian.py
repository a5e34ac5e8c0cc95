"""A small Debian root file system: debootstrap from the machine's own mirror, without what no program needs."""

import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

SUITE = "bookworm"

UNNEEDED = (
    "usr/share/doc",
    "usr/share/man",
    "usr/share/info",
    "usr/share/locale",
    "usr/share/lintian",
    "usr/share/bash-completion",
    "usr/lib/mysql/plugin",
    "usr/bin/innochecksum",
    "usr/bin/mariadb-upgrade",
    "usr/bin/mysql_upgrade",
    "var/lib/apt/lists/*",
    "var/cache/apt/*",
    "var/cache/debconf/*",
    "var/log/*",
    "var/www",
    "etc/apt",
    "etc/resolv.conf",
    "etc/hostname",
)


PACKED = (
    *("--sort=name", "--numeric-owner", "--mtime=@0", "--one-file-system"),
    *("--exclude=./proc/*", "--exclude=./sys/*", "--exclude=./dev/*"),
)


class BuildError(Exception):
    """An image could not be built; the message says which program failed and ends with what it said."""


def run(argv: Sequence[str | Path], *, env: dict[str, str] | None = None, cwd: Path | None = None) -> str:
    """Run a program to its end and return its standard output.

    Raises BuildError with the end of the program's output when it fails or does not exist.
    """
    words = [str(word) for word in argv]
    try:
        done = subprocess.run(
            words, env={**os.environ, **(env or {})}, cwd=cwd, capture_output=True, text=True, check=False
        )
    except FileNotFoundError:
        raise BuildError(f"{words[0]} is not installed") from None
    if done.returncode:
        said = (done.stdout + done.stderr).strip()[-2000:]
        raise BuildError(f"{words[0]} ended with {done.returncode}:\n{said}")
    return done.stdout


def bootstrap(root: Path, packages: Sequence[str], programs: Sequence[tuple[str, Sequence[str]]]) -> None:
    """Make a root file system in `root` with `packages` and what they depend on.

    `programs` are (package, paths): only these files of the package are taken and nothing it depends on. Needs root.
    """
    if not shutil.which("debootstrap"):
        run(["apt-get", "update"])
        run(["apt-get", "install", "--yes", "--no-install-recommends", "debootstrap"])
    # What it mounts goes with its mount namespace, however it ends.
    argv = [
        "unshare",
        "--mount",
        "debootstrap",
        "--variant=minbase",
        f"--include={','.join(packages)}",
        SUITE,
        str(root),
    ]
    # Without a mirror debootstrap takes Debian's own.
    run([*argv, *filter(None, [mirror()])], env={"DEBIAN_FRONTEND": "noninteractive"})
    for package, paths in programs:
        run(["chroot", root, "apt-get", "download", package], cwd=root)
        (archive,) = root.glob(f"{package}_*.deb")
        unpack = ["tar", "-x", "-C", str(root), *(f"./{path}" for path in paths)]
        with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", archive], stdout=subprocess.PIPE) as members:
            done = subprocess.run(unpack, stdin=members.stdout, capture_output=True, text=True, check=False)
        if done.returncode or members.returncode:
            raise BuildError(f"{package} could not be unpacked: {done.stderr.strip()[-500:]}")
        archive.unlink()
    _trim(root)


def mirror(etc: Path = Path("/etc")) -> str | None:
    """The Debian mirror this machine's apt is configured for, None when it has none."""
    release = _release(etc)
    for sources in sorted((etc / "apt").glob("sources.list*")):
        files = sorted(sources.iterdir()) if sources.is_dir() else [sources]
        for file in files:
            if file.suffix not in (".list", ".sources"):
                continue
            read = _one_line_style if file.suffix == ".list" else _stanza_style
            for uri, suites, components in read(file.read_text()):
                # Third parties have suites of their own; only a Debian mirror has one of the release's plain name.
                if release in suites and "main" in components and uri.startswith(("http:", "https:")):
                    return uri
    return None


def _release(etc: Path) -> str:
    for line in (etc / "os-release").read_text().splitlines():
        name, _, value = line.partition("=")
        if name == "VERSION_CODENAME":
            return value.strip('"')
    return SUITE


def _one_line_style(text: str) -> Iterator[tuple[str, list[str], list[str]]]:
    for line in text.splitlines():
        words = line.split("#")[0].split()
        if not words or words[0] != "deb":
            continue
        while len(words) > 1 and words[1].startswith("["):
            while not words.pop(1).endswith("]"):
                pass
        if len(words) > 3:
            yield words[1], [words[2]], words[3:]


def _stanza_style(text: str) -> Iterator[tuple[str, list[str], list[str]]]:
    for stanza in text.split("\n\n"):
        fields = {}
        for line in stanza.splitlines():
            name, colon, value = line.partition(":")
            if colon and not line.startswith(("#", " ")):
                fields[name.lower()] = value.split()
        if "deb" in fields.get("types", []) and fields.get("uris"):
            yield fields["uris"][0], fields.get("suites", []), fields.get("components", [])


def _trim(root: Path) -> None:
    for pattern in UNNEEDED:
        for path in root.glob(pattern):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()


def pack(root: Path, tar: Path) -> None:
    """Write the tree under `root` to `tar` in an order and with times that say nothing about when it was made."""
    run(["tar", "--create", "--file", tar, *PACKED, "-C", root, "."])
