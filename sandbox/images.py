"""The images of a local cluster, built from Debian, PyPI and npm packages, and kept in the sandbox's cache.

Three layers: a Debian with the servers (slow, rarely changes), the Python and Node packages, and the stand-in for
Frappe itself (`tests/standin`), which takes seconds. Every image is made of them; what differs is names and
configuration. MariaDB, Redis and nginx in them are the real ones.
"""

import contextlib
import fcntl
import hashlib
import inspect
import os
import shutil
import tarfile
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from sandbox import debian, language_packages, oci, standin_bench
from sandbox.binaries import cache
from sandbox.progress import Progress, shown

STANDIN = Path(__file__).parent.parent / "tests" / "standin"
RECIPE = STANDIN / "image"
BENCH = "home/frappe/frappe-bench"
OFFICIAL = "docker.io/frappe/erpnext:version-15"
"""What the stand-in stands in for."""

PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

# uid and gid are those of the official images, so that volumes and securityContexts mean the same.
USERS = (("frappe", 1000, "/home/frappe"), ("mysql", 999, "/var/lib/mysql"), ("nginx", 101, "/nonexistent"))
FOLDERS = (("data", 999), ("run/mysqld", 999), ("var/lib/mysql", 999), ("var/cache/nginx", 101), ("home/frappe", 1000))


@dataclass(frozen=True)
class Release:
    """One bench image: a version of the stand-in, its tags, and how it fails when it is made to."""

    version: str
    tags: Sequence[str]
    fail: str = ""
    """Content of the bench's `standin-fail.json`; see the stand-in's README."""
    patches: Sequence[str] = ()
    """Patches that no other image has: `fails`, `hangs`."""
    without: Sequence[str] = ()
    """Apps of the stand-in that the image lacks."""


RELEASES = (
    Release("15.51.1", ("version-15", "v15", "v15.51.1")),
    Release("15.52.0", ("version-15-b", "v15.52.0")),
    Release("15.51.1", ("version-15-killed-once",), fail="new-site:after-tables:kill:1"),
    Release("15.53.0", ("version-15-patch-fails",), patches=("fails",)),
    Release("15.53.1", ("version-15-patch-hangs",), patches=("hangs",)),
    Release("15.54.0", ("version-15-c", "v15.54.0")),
    Release("15.51.1", ("version-15-without-hrms",), without=("hrms",)),
)


def folder() -> Path:
    """Where layers and layouts are kept."""
    return cache() / "images"


def official_available(pull: Callable[[str], bool]) -> bool:
    """True when the node's own `pull(name)` could fetch the official image; then nothing needs to stand in for it."""
    return pull(OFFICIAL)


def build(progress: Progress) -> list[Path]:
    """Build what is not in the cache and return the OCI layout tars to import; root, because debootstrap needs it.

    Safe to run twice at once: the second waits for the first. Raises debian.BuildError when a program fails.
    """
    if os.geteuid():
        raise debian.BuildError("images are built as root: debootstrap makes device files and changes root")
    with _alone(folder() / "lock"):
        base = _base(progress)
        packages = _packages(progress)
        benches = [(release, _bench(release)) for release in RELEASES]
        images = [*_servers(base), *(_frappe(release, [base, packages, own]) for release, own in benches)]
        tar = _layout(images, progress)
        for kind, used in (("debian-*", 1), ("packages-*", 1), ("bench-*", len(RELEASES)), ("layout-*.tar", 1)):
            _forget(kind, 2 * used)
        return [tar]


def _base(progress: Progress) -> oci.Layer:
    recipe = RECIPE / "debian.txt"
    kept = _keyed(
        "debian", recipe.read_bytes(), _source(debian), _source(_furnish), repr((USERS, FOLDERS, PROGRAMS)).encode()
    )

    def fill(tar: Path) -> None:
        root = tar.parent / "root"
        debian.bootstrap(root, recipe.read_text().split(), PROGRAMS)
        _furnish(root)
        debian.pack(root, tar)
        shutil.rmtree(root)

    return _layer(kept, fill, "Debian with MariaDB, Redis, nginx, Python and Node (a minute or two)", progress)


PROGRAMS = (
    # The whole packages would bring Perl.
    ("mariadb-client", ("usr/bin/mariadb-dump", "usr/bin/mariadb-admin")),
    ("git", ("usr/bin/git", "usr/lib/git-core/git-remote-http", "usr/lib/git-core/git-remote-https")),
)


def _furnish(root: Path) -> None:
    """Users and folders as the official images have them, and no program that changes its user."""
    for name, separator in (("passwd", ":"), ("group", ":")):
        file = root / "etc" / name
        kept = [line for line in file.read_text().splitlines() if not line.startswith(f"redis{separator}")]
        for user, uid, home in USERS:
            kept.append(f"{user}:x:{uid}:{uid}::{home}:/bin/bash" if name == "passwd" else f"{user}:x:{uid}:")
        file.write_text("\n".join(kept) + "\n")
    for path, uid in FOLDERS:
        (root / path).mkdir(parents=True, exist_ok=True)
        os.chown(root / path, uid, uid)
    logs = root / "var/log/nginx"
    logs.mkdir(parents=True, exist_ok=True)
    (logs / "access.log").symlink_to("/dev/stdout")
    (logs / "error.log").symlink_to("/dev/stderr")
    for program in root.rglob("*"):
        if not program.is_symlink() and program.is_file() and program.stat().st_mode & 0o6000:
            program.chmod(program.stat().st_mode & 0o1777)


def _packages(progress: Progress) -> oci.Layer:
    kept = _keyed(
        "packages",
        *((RECIPE / name).read_bytes() for name in ("requirements.txt", "package-lock.json")),
        _source(language_packages),
    )

    def fill(tar: Path) -> None:
        root = tar.parent / "root"
        environment = root / BENCH / "env"
        language_packages.install_python(RECIPE / "requirements.txt", environment)
        for name, module, function in (("gunicorn", "gunicorn.app.wsgiapp", "run"), ("rq", "rq.cli", "main")):
            language_packages.install_program(environment, f"/{BENCH}/env", name, module, function)
        language_packages.install_node(RECIPE / "package.json", root / BENCH / "apps/frappe")
        language_packages.compile_bytecode(root, "/")
        _pack_owned(root, tar)
        shutil.rmtree(root)

    return _layer(kept, fill, "Python and Node packages", progress)


def _bench(release: Release) -> oci.Layer:
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch)
        shutil.copytree(STANDIN / "image/root", root, symlinks=True, dirs_exist_ok=True)
        bench = root / BENCH
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(STANDIN / "bench", bench, symlinks=True, ignore=ignored, dirs_exist_ok=True)
        for app in release.without:
            shutil.rmtree(bench / "apps" / app)
        standin_bench.furnish(bench, f"/{BENCH}", release.version, release.fail, release.patches)
        language_packages.compile_bytecode(root, "/")
        digest = _digest_of(root)

        def fill(tar: Path) -> None:
            _pack_owned(root, tar)

        return oci.layer(_keyed("bench", digest.encode(), _source(_pack_owned)), fill)


def _servers(base: oci.Layer) -> list[oci.Image]:
    return [
        oci.Image(["localhost/pause:1"], [base], {"Env": [PATH], "Cmd": ["sleep", "infinity"], "User": "65534"}),
        oci.Image(["docker.io/library/mariadb:10.11"], [base], {"Env": [PATH], "Cmd": ["mariadbd"]}),
        oci.Image(
            ["docker.io/library/redis:7.2"],
            [base],
            {"Env": [PATH], "Cmd": ["redis-server"], "WorkingDir": "/data"},
        ),
        oci.Image(
            ["docker.io/nginxinc/nginx-unprivileged:1.27"],
            [base],
            {"Env": [PATH], "Cmd": ["nginx", "-g", "daemon off;"], "User": "101"},
        ),
    ]


def _frappe(release: Release, layers: Sequence[oci.Layer]) -> oci.Image:
    return oci.Image(
        [f"docker.io/frappe/erpnext:{tag}" for tag in release.tags],
        layers,
        {
            "Env": [PATH, "LANG=C.UTF-8"],
            "User": "frappe",
            "WorkingDir": f"/{BENCH}",
            "Entrypoint": ["/usr/local/bin/entrypoint.sh"],
            "Cmd": ["start.sh"],
        },
    )


def _layout(images: Sequence[oci.Image], progress: Progress) -> Path:
    key = hashlib.sha256(repr(images).encode() + _source(oci)).hexdigest()[:16]
    target = folder() / f"layout-{key}.tar"
    if target.exists():
        os.utime(target)
        return target
    with progress.step("Packing the images"):
        return oci.write_layout(target, images)


def _forget(kind: str, kept: int) -> None:
    """Delete all but the latest used, and what a build that was killed has left: we hold the lock."""
    latest_first = sorted(folder().glob(kind), key=lambda path: path.stat().st_mtime, reverse=True)
    for old in [*latest_first[kept:], *folder().glob(f".{kind}-*")]:
        if old.is_dir():
            shutil.rmtree(old, ignore_errors=True)
        else:
            old.unlink()


def _layer(kept: Path, fill: Callable[[Path], None], title: str, progress: Progress) -> oci.Layer:
    if kept.exists():
        return oci.layer(kept, fill)
    with progress.step(f"Building {title}"):
        return oci.layer(kept, fill)


def _keyed(name: str, *contents: bytes) -> Path:
    digest = hashlib.sha256(oci.architecture().encode())
    for content in contents:
        digest.update(hashlib.sha256(content).digest())
    return folder() / f"{name}-{digest.hexdigest()[:16]}"


def _source(code: ModuleType | Callable[..., object]) -> bytes:
    return inspect.getsource(code).encode()


def _digest_of(root: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*")):
        kind = os.readlink(path) if path.is_symlink() else "" if path.is_dir() else path.read_bytes().hex()
        digest.update(f"{path.relative_to(root)} {path.lstat().st_mode:o} {kind}\n".encode())
    return digest.hexdigest()


def _pack_owned(root: Path, tar: Path) -> None:
    """Pack what the bench's user owns as that user's, and everything else as root's."""

    def owned(entry: tarfile.TarInfo) -> tarfile.TarInfo:
        entry.uid = entry.gid = 1000 if entry.name.startswith(BENCH) else 0
        entry.uname = entry.gname = ""
        entry.mtime = 0
        return entry

    with tarfile.open(tar, "w", format=tarfile.PAX_FORMAT) as packed:
        for path in sorted(root.rglob("*")):
            name = str(path.relative_to(root))
            # A folder in a layer replaces the attributes of the one below it: name only the bench's own.
            if path.is_symlink() or not path.is_dir() or name.startswith(BENCH):
                packed.add(path, name, recursive=False, filter=owned)


@contextlib.contextmanager
def _alone(lock: Path) -> Iterator[None]:
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield


if __name__ == "__main__":
    with shown() as progress:
        tars = build(progress)
    print(*tars, sep="\n")
