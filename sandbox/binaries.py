"""Finds the programs of a cluster at their pinned versions, or builds them from their Go modules into a cache.

Where a program comes from, in order: `KUBEBUILDER_ASSETS` and `PATH`, if it is the pinned version; the cache; a build.
"""

import contextlib
import contextvars
import fcntl
import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from sandbox import toolchain
from sandbox.progress import Progress, seconds

KUBERNETES = "1.37.2"
ETCD = "3.7.3"
KWOK = "0.8.0"
CONTAINERD = "2.4.2"
COREDNS = "1.15.0"
CONTOUR = "1.33.8"
METRICS_SERVER = "0.9.0"

_SPEAK_EVERY = 15.0


class BuildError(Exception):
    """The Go toolchain refused; the message holds what it said."""


@dataclass(frozen=True)
class Program:
    """A program, and how to know that a found one is the right one."""

    package: str
    version: str
    version_flags: tuple[str, ...] = ("--version",)


@dataclass(frozen=True)
class Module:
    """A folder with a go.mod that pins what is built from it."""

    name: str
    programs: Mapping[str, Program]
    flags: tuple[str, ...] = ()
    linker: str = "-s -w"

    @property
    def source(self) -> Path:
        """The folder of its go.mod."""
        return Path(__file__).parent / "go" / self.name

    @property
    def build_flags(self) -> list[str]:
        """The flags of `go build`."""
        return ["-trimpath", *self.flags, "-ldflags", self.linker]

    @property
    def key(self) -> str:
        """Differs whenever what would be built differs."""
        digest = hashlib.sha256(f"{platform.system()} {platform.machine()} {self.build_flags}".encode())
        for path in sorted(self.source.iterdir()):
            digest.update(f"{path.name} {hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
        return digest.hexdigest()[:16]


# Without these kubectl refuses to parse the server's version.
_KUBERNETES_LINKER = " ".join(
    f"-X {variable}={value}"
    for variable, value in (
        ("k8s.io/component-base/version.gitVersion", f"v{KUBERNETES}"),
        ("k8s.io/client-go/pkg/version.gitVersion", f"v{KUBERNETES}"),
        ("k8s.io/component-base/version.gitMajor", KUBERNETES.split(".")[0]),
        ("k8s.io/component-base/version.gitMinor", KUBERNETES.split(".")[1]),
    )
)

CONTOUR_MODULE = Module(
    "contour",
    {"contour": Program("github.com/projectcontour/contour/cmd/contour", CONTOUR, ("version",))},
    linker=f"-s -w -X github.com/projectcontour/contour/internal/build.Version=v{CONTOUR}",
)

METRICS_SERVER_MODULE = Module(
    "metrics-server",
    {"metrics-server": Program("sigs.k8s.io/metrics-server/cmd/metrics-server", METRICS_SERVER)},
    linker=f"-s -w -X k8s.io/client-go/pkg/version.gitVersion=v{METRICS_SERVER}",
)

MODULES = (
    Module(
        "kubernetes",
        {
            "etcd": Program("go.etcd.io/etcd/server/v3", ETCD),
            "kube-apiserver": Program("k8s.io/kubernetes/cmd/kube-apiserver", KUBERNETES),
            "kube-controller-manager": Program("k8s.io/kubernetes/cmd/kube-controller-manager", KUBERNETES),
            "kube-scheduler": Program("k8s.io/kubernetes/cmd/kube-scheduler", KUBERNETES),
            "kubectl": Program("k8s.io/kubernetes/cmd/kubectl", KUBERNETES, ("version", "--client")),
            "kwok": Program("sigs.k8s.io/kwok/cmd/kwok", KWOK),
            "kubelet": Program("k8s.io/kubernetes/cmd/kubelet", KUBERNETES),
            "kube-proxy": Program("k8s.io/kubernetes/cmd/kube-proxy", KUBERNETES),
        },
        linker=f"-s -w {_KUBERNETES_LINKER}",
    ),
    Module(
        "containerd",
        {
            "containerd": Program("github.com/containerd/containerd/v2/cmd/containerd", CONTAINERD),
            "containerd-shim-runc-v2": Program(
                "github.com/containerd/containerd/v2/cmd/containerd-shim-runc-v2", CONTAINERD, ("-v",)
            ),
            "ctr": Program("github.com/containerd/containerd/v2/cmd/ctr", CONTAINERD),
        },
        flags=("-tags", "no_btrfs no_devmapper no_zfs"),
    ),
    Module("coredns", {"coredns": Program("frappe-operator/sandbox/coredns", COREDNS, ("-version",))}),
    CONTOUR_MODULE,
    METRICS_SERVER_MODULE,
)


def cache() -> Path:
    """The folder that outlives checkouts: `$FRAPPE_SANDBOX_CACHE`, else one in the user's cache."""
    chosen = os.environ.get("FRAPPE_SANDBOX_CACHE")
    return Path(chosen).absolute() if chosen else Path.home() / ".cache" / "frappe-operator-sandbox"


class Binaries(Mapping[str, Path]):
    """Programs by name, each at its pinned version."""

    def __init__(self, paths: Mapping[str, Path]) -> None:
        self._paths = dict(paths)

    def __getitem__(self, name: str) -> Path:
        return self._paths[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._paths)

    def __len__(self) -> int:
        return len(self._paths)

    @classmethod
    def find(cls, names: Iterable[str], progress: Progress) -> "Binaries":
        """The programs of these names; what is nowhere to be found is built, and nothing else.

        Raises `BuildError`, or `toolchain.NoGoError` where there is no Go. `KeyError` for a name unknown here.
        """
        wanted = list(dict.fromkeys(names))
        known = {name: module for module in MODULES for name in module.programs}
        found: dict[str, Path] = {}
        missing: dict[str, list[str]] = {}
        for name in wanted:
            module = known[name]
            path = _installed(name, module.programs[name]) or _cached(name, module)
            if path:
                found[name] = path
            else:
                missing.setdefault(module.name, []).append(name)
        if missing:
            with progress.step(f"Building {', '.join(name for names in missing.values() for name in names)}"):
                modules = [module for module in MODULES if module.name in missing]
                found.update(_build_all(modules, missing, progress))
        return cls({name: found[name] for name in wanted})


def module_files(module: Module, repository: str, names: Sequence[str], progress: Progress) -> list[Path]:
    """Copies of files of the Go module `repository`, by their paths in it, at the version that `module` pins.

    They are kept in the cache: later calls need neither Go nor a network. Raises as `Binaries.find` does.
    """
    home = _home(module)
    home.mkdir(parents=True, exist_ok=True)
    copies = [home / "files" / name for name in names]
    with _alone(home / "lock", module, progress):
        if not all(copy.exists() for copy in copies):
            source = _downloaded(module, repository, toolchain.go(cache(), progress))
            for name, copy in zip(names, copies, strict=True):
                copy.parent.mkdir(parents=True, exist_ok=True)
                # Without the modes: what Go has downloaded is read-only.
                partial = copy.with_name(f"{copy.name}.partial")
                partial.write_bytes((source / name).read_bytes())
                partial.rename(copy)
    return copies


def _downloaded(module: Module, repository: str, go: Path) -> Path:
    done = subprocess.run(
        [go, "mod", "download", "-json", repository],
        cwd=module.source,
        env={**os.environ, "GOFLAGS": "-mod=readonly"},
        capture_output=True,
        text=True,
    )
    said = json.loads(done.stdout or "{}")
    if done.returncode or "Dir" not in said:
        raise BuildError(f"{repository} cannot be downloaded: {said.get('Error') or done.stderr.strip()}")
    return Path(said["Dir"])


def _installed(name: str, program: Program) -> Path | None:
    for folders in filter(None, (os.environ.get("KUBEBUILDER_ASSETS"), os.environ.get("PATH"))):
        path = shutil.which(name, path=folders)
        if path and _is_version(path, program):
            return Path(path)
    return None


def _is_version(path: str, program: Program) -> bool:
    # A program of another kind may bear the name: whatever goes wrong here means "not the one".
    try:
        said = subprocess.run([path, *program.version_flags], capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError, UnicodeDecodeError):
        return False
    return bool(re.search(rf"(?<![\d.]){re.escape(program.version)}(?![\d.])", said.stdout + said.stderr))


def _home(module: Module) -> Path:
    return cache() / "bin" / f"{module.name}-{module.key}"


def _cached(name: str, module: Module) -> Path | None:
    path = _home(module) / name
    return path if path.exists() else None


def _build_all(modules: Sequence[Module], missing: Mapping[str, list[str]], progress: Progress) -> dict[str, Path]:
    # The toolchain is found first, so that two builds do not both fetch it.
    go = toolchain.go(cache(), progress)
    with ThreadPoolExecutor(len(modules)) as pool:
        builds = [
            pool.submit(contextvars.copy_context().run, _build, module, missing[module.name], go, progress)
            for module in modules
        ]
        return {name: path for build in builds for name, path in build.result().items()}


def _build(module: Module, names: Sequence[str], go: Path, progress: Progress) -> dict[str, Path]:
    home = _home(module)
    home.mkdir(parents=True, exist_ok=True)
    with _alone(home / "lock", module, progress):
        # Nobody else is building now: what lies here half-made is nobody's.
        for leftover in home.glob("partial-*"):
            shutil.rmtree(leftover)
        # The one waited for may have built some of it.
        missing = [name for name in names if not _cached(name, module)]
        for name in missing:
            with progress.step(name):
                _build_one(module, name, go, home, progress)
    return {name: home / name for name in names}


@contextlib.contextmanager
def _alone(lock: Path, module: Module, progress: Progress) -> Iterator[None]:
    with lock.open("w") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            progress.note(f"waiting for another process that builds {module.name}")
            fcntl.flock(held, fcntl.LOCK_EX)
        yield


def _build_one(module: Module, name: str, go: Path, home: Path, progress: Progress) -> None:
    partial = Path(tempfile.mkdtemp(prefix="partial-", dir=home))
    package = module.programs[name].package
    # -v names each package as it is compiled.
    argv: list[str | Path] = [go, "build", "-v", *module.build_flags, "-o", partial / name, package]
    with subprocess.Popen(
        argv,
        cwd=module.source,
        env={**os.environ, "CGO_ENABLED": "0", "GOFLAGS": "-mod=readonly"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as build:
        said: list[str] = []
        began = spoke = time.monotonic()
        try:
            for line in build.stderr or ():
                said.append(line)
                if time.monotonic() - spoke > _SPEAK_EVERY:
                    spoke = time.monotonic()
                    progress.note(f"{name}: {len(said)} packages, {seconds(began)}; now {line.strip()}")
        except BaseException:
            build.terminate()
            raise
    if build.returncode:
        raise BuildError(f"go build of {name} ended with {build.returncode}:\n{''.join(said[-30:])}")
    (partial / name).rename(home / name)
    partial.rmdir()
