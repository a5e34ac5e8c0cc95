"""A very small image: what a node needs to run pods at all, and enough of a system for tests of the node."""

import contextlib
import fcntl
import hashlib
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

from sandbox import debian_packages, oci
from sandbox.binaries import cache
from sandbox.containerd import PAUSE
from sandbox.progress import Progress

IMAGE = "localhost/busybox:1"


def build(progress: Progress) -> Path:
    """The layout with both images, kept in the sandbox's cache. Raises `debian_packages.PackageError`."""
    key = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()[:16]
    folder = cache() / "images" / f"busybox-{key}"
    layout = folder / "layout.tar"
    with _alone(folder.parent / "busybox.lock"):
        if layout.exists():
            return layout
        with progress.step("Building a busybox image"):
            layer = oci.layer(folder, _fill)
            path = ["PATH=/bin"]
            forever = {"Env": path, "Entrypoint": ["/bin/tail", "-f", "/dev/null"], "User": "65534"}
            shell = {"Env": path, "Cmd": ["sh"]}
            images = [oci.Image([PAUSE], [layer], forever), oci.Image([IMAGE], [layer], shell)]
            return oci.write_layout(layout, images)


@contextlib.contextmanager
def _alone(lock: Path) -> Iterator[None]:
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield


def _fill(tar: Path) -> None:
    root = tar.parent / "root"
    debian_packages.unpack("busybox-static", root)
    programs = subprocess.run([root / "bin/busybox", "--list"], capture_output=True, text=True, check=True)
    with tarfile.open(tar, "w") as layer:
        layer.add(root / "bin/busybox", "bin/busybox")
        for program in programs.stdout.split():
            if program != "busybox":
                link = tarfile.TarInfo(f"bin/{program}")
                link.type, link.linkname = tarfile.SYMTYPE, "busybox"
                layer.addfile(link)
        scratch = tarfile.TarInfo("tmp")
        scratch.type, scratch.mode = tarfile.DIRTYPE, 0o1777
        layer.addfile(scratch)
    shutil.rmtree(root)
