"""A registry of images on loopback that has those of one OCI layout."""

import contextlib
import json
import tarfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from sandbox import oci


@contextlib.contextmanager
def registry(layout: Path) -> Iterator[str]:
    """Serve the layout's first image under any name; the address to put before the name."""
    with tarfile.open(layout) as tar:
        files = {member.name: opened.read() for member in tar if (opened := tar.extractfile(member))}
    manifest = json.loads(files["index.json"])["manifests"][0]["digest"]

    class Answer(BaseHTTPRequestHandler):
        # Who tries TLS first takes an answer with a status line for a hint.
        default_request_version = "HTTP/1.1"

        def do_GET(self) -> None:
            what, asked = self.path.split("/")[-2:]
            digest = asked if asked.startswith("sha256:") else manifest
            body = files[f"blobs/{digest.replace(':', '/')}"]
            self.send_response(200)
            self.send_header("Content-Type", oci.MANIFEST if what == "manifests" else "application/octet-stream")
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Docker-Content-Digest", digest)
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

        do_HEAD = do_GET  # noqa: N815 - as the base class spells it

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        serving = threading.Thread(target=server.serve_forever)
        serving.start()
        yield f"localhost:{server.server_port}"
        server.shutdown()
        serving.join()
