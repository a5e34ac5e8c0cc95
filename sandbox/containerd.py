"""containerd, which runs the node's containers and keeps its images."""

import subprocess
from pathlib import Path

from sandbox.binaries import Binaries
from sandbox.enclosure import INSIDE, Enclosure, EnclosureError
from sandbox.processes import Process
from sandbox.state import State

SOCKET = Path("/run/containerd/containerd.sock")
"""Where it answers, inside the enclosure."""

PAUSE = "localhost/sandbox-pause:1"
"""The image of the container that keeps a pod's network."""

_START = 30.0

_CONFIGURATION = f"""
version = 3
root = "{INSIDE}/containerd"
state = "/run/containerd"
disabled_plugins = ["io.containerd.nri.v1.nri"]

[grpc]
address = "{SOCKET}"

[plugins."io.containerd.internal.v1.opt"]
path = "{INSIDE}/opt"

[plugins."io.containerd.cri.v1.images"]
snapshotter = "overlayfs"

[plugins."io.containerd.cri.v1.images".pinned_images]
sandbox = "{PAUSE}"

[plugins."io.containerd.cri.v1.runtime"]
# Without CAP_SYS_RESOURCE no container starts otherwise: runc may not make it less killable than itself.
restrict_oom_score_adj = true
enable_cdi = false

[plugins."io.containerd.cri.v1.runtime".cni]
bin_dirs = ["/usr/lib/cni"]
conf_dir = "{INSIDE}/network"

[plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"

[plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc.options]
SystemdCgroup = false
"""


class Containerd:
    """The containerd of one cluster's node."""

    def __init__(self, state: State, binaries: Binaries, enclosure: Enclosure) -> None:
        """`binaries` holds containerd, its shim and ctr."""
        self._binaries = binaries
        self._enclosure = enclosure
        self._process = Process(state, "containerd")

    def up(self) -> None:
        """Start it and wait until it answers. Raises `ProcessError` if it does not."""
        configuration = self._enclosure.folder / "containerd.toml"
        configuration.write_text(_CONFIGURATION)
        program, shim = self._binaries["containerd"], self._binaries["containerd-shim-runc-v2"]
        self._process.start(
            self._enclosure.inside(program, "--config", INSIDE / configuration.name),
            env={"PATH": f"{shim.parent}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"},
        )
        self._process.wait_until(self._answers, _START, "containerd to answer")

    def load(self, tar: Path) -> None:
        """Import the images of an OCI layout. Raises `EnclosureError` with what ctr said."""
        self._ctr("images", "import", tar.absolute())

    def images(self) -> list[str]:
        """The names of the images it has, without those that are digests."""
        names = self._ctr("images", "list", "-q").split()
        return [name for name in names if not name.startswith("sha256:") and "@" not in name]

    def pull(self, name: str) -> None:
        """Fetch an image through the machine's network. Raises `EnclosureError` with what ctr said."""
        # So ctr runs outside, finds the socket by a process that sees it, and fetches by itself.
        socket = f"/proc/{self._enclosure.pid}/root{SOCKET}"
        words = ("--address", socket, "--namespace", "k8s.io", "images", "pull", "--local", name)
        done = subprocess.run([self._binaries["ctr"], *words], capture_output=True, text=True)
        if done.returncode:
            raise EnclosureError(f"{name} cannot be pulled: {done.stderr.strip().splitlines()[-1]}")

    def _ctr(self, *words: str | Path) -> str:
        return self._enclosure.run(self._binaries["ctr"], "--address", SOCKET, "--namespace", "k8s.io", *words)

    def _answers(self) -> bool:
        try:
            self._ctr("version")
        except EnclosureError:
            return False
        return True
