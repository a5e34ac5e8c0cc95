"""OCI images without Docker: layers are tars, an image is some JSON about them, a layout is one tar of it all."""

import contextlib
import hashlib
import io
import json
import os
import platform
import shutil
import tarfile
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"
INDEX = "application/vnd.oci.image.index.v1+json"
NAME = "io.containerd.image.name"
CHUNK = 1 << 20


@dataclass(frozen=True)
class Layer:
    """One uncompressed tar, and what identifies it. Uncompressed, because import time counts here and size does not."""

    path: Path
    digest: str
    """`sha256:…` of the tar; it is the diff id as well."""
    size: int


@dataclass(frozen=True)
class Image:
    """Layers under some names, and how a container of it starts."""

    names: Sequence[str]
    layers: Sequence[Layer]
    config: Mapping[str, Any] = field(default_factory=dict)
    """`User`, `Env`, `Entrypoint`, `Cmd`, `WorkingDir`: the `config` object of the OCI image configuration."""


def architecture() -> str:
    """This machine's architecture in OCI's spelling."""
    machine = platform.machine()
    return {"x86_64": "amd64", "aarch64": "arm64"}.get(machine, machine)


def layer(folder: Path, fill: Callable[[Path], None]) -> Layer:
    """The layer kept in `folder`; made by `fill(tar)` when it is not there yet.

    The folder appears whole or not at all: the tar is written and measured beside it, then moved.
    """
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with _beside(folder) as making:
            fill(making / "layer.tar")
            (making / "layer.json").write_text(json.dumps(_measure(making / "layer.tar")))
            making.rename(folder)
    facts = json.loads((folder / "layer.json").read_text())
    os.utime(folder)
    return Layer(folder / "layer.tar", facts["digest"], facts["size"])


def write_layout(target: Path, images: Sequence[Image]) -> Path:
    """Write one OCI layout tar holding all `images`, each under each of its names; shared layers are in it once."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with _beside(target) as making:
        with tarfile.open(making / "layout.tar", "w", format=tarfile.PAX_FORMAT) as tar:
            _write_images(tar, images)
        (making / "layout.tar").rename(target)
    return target


def _write_images(tar: tarfile.TarFile, images: Sequence[Image]) -> None:
    written: set[str] = set()

    def blob(digest: str, size: int, content: BinaryIO) -> None:
        if digest not in written:
            written.add(digest)
            _add(tar, f"blobs/{digest.replace(':', '/')}", size, content)

    def document(value: Mapping[str, Any], media_type: str) -> dict[str, Any]:
        content = json.dumps(value, sort_keys=True).encode()
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        blob(digest, len(content), io.BytesIO(content))
        return {"mediaType": media_type, "digest": digest, "size": len(content)}

    names = []
    for image in images:
        for one in image.layers:
            with one.path.open("rb") as content:
                blob(one.digest, one.size, content)
        configuration = {
            "architecture": architecture(),
            "os": "linux",
            "config": dict(image.config),
            "rootfs": {"type": "layers", "diff_ids": [one.digest for one in image.layers]},
        }
        manifest = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": document(configuration, CONFIG),
            "layers": [{"mediaType": LAYER, "digest": one.digest, "size": one.size} for one in image.layers],
        }
        described = document(manifest, MANIFEST)
        names += [{**described, "annotations": {NAME: name}} for name in image.names]
    for path, value in (
        ("oci-layout", {"imageLayoutVersion": "1.0.0"}),
        ("index.json", {"schemaVersion": 2, "mediaType": INDEX, "manifests": names}),
    ):
        text = json.dumps(value).encode()
        _add(tar, path, len(text), io.BytesIO(text))


def _add(tar: tarfile.TarFile, path: str, size: int, content: BinaryIO) -> None:
    entry = tarfile.TarInfo(path)
    entry.size = size
    entry.mode = 0o644
    tar.addfile(entry, content)


def _measure(path: Path) -> dict[str, Any]:
    digest = hashlib.sha256()
    with path.open("rb") as content:
        while chunk := content.read(CHUNK):
            digest.update(chunk)
    return {"digest": f"sha256:{digest.hexdigest()}", "size": path.stat().st_size}


@contextlib.contextmanager
def _beside(target: Path) -> Iterator[Path]:
    """A folder on the same file system as `target`, gone afterwards unless it was moved."""
    making = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    try:
        yield making
    finally:
        shutil.rmtree(making, ignore_errors=True)
