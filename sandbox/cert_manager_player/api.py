"""The few requests to the API server that the player of cert-manager needs."""

import base64
import json
import ssl
import threading
import time
from contextlib import closing
from http.client import HTTPException, HTTPSConnection
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any
from urllib.parse import urlsplit

import yaml

Object = dict[str, Any]

MANAGER = "cert-manager-certificates-issuing"
"""Field manager of what is written."""
CERTIFICATES = "/apis/cert-manager.io/v1", "certificates"
ISSUERS = "/apis/cert-manager.io/v1", "issuers"
CLUSTER_ISSUERS = "/apis/cert-manager.io/v1", "clusterissuers"
INGRESSES = "/apis/networking.k8s.io/v1", "ingresses"
SECRETS = "/api/v1", "secrets"

Resource = tuple[str, str]
"""The path of a group and version, and the name of a kind in it."""

_SECONDS = 30.0
_WATCH_SECONDS = 300
_PAUSE = 1.0
_ATTEMPTS = 20


class RefusedError(Exception):
    """The API server has refused a request."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{status}: {message}")
        self.status = status


class Api:
    """The API server, as the user of a kubeconfig."""

    def __init__(self, kubeconfig: Path) -> None:
        read = yaml.safe_load(kubeconfig.read_text())
        cluster, user = read["clusters"][0]["cluster"], read["users"][0]["user"]
        address = urlsplit(cluster["server"])
        self._host, self._port = address.hostname or "", address.port
        self._trust = ssl.create_default_context(cadata=_plain(cluster["certificate-authority-data"]))
        with NamedTemporaryFile("w") as pair:
            pair.write(_plain(user["client-certificate-data"]) + "\n" + _plain(user["client-key-data"]))
            pair.flush()
            self._trust.load_cert_chain(pair.name)

    def list(self, resource: Resource) -> list[Object]:
        """All objects of a kind."""
        items: list[Object] = self._ask("GET", "/".join(resource))["items"]
        return items

    def get(self, resource: Resource, namespace: str, name: str) -> Object | None:
        """An object; None when there is none."""
        try:
            return self._ask("GET", _path(resource, namespace, name))
        except RefusedError as refused:
            if refused.status == 404:
                return None
            raise

    def apply(self, resource: Resource, manifest: Object, subresource: str = "") -> Object:
        """Applies an object, or its status, whoever has its fields."""
        meta = manifest["metadata"]
        path = _path(resource, meta.get("namespace", ""), meta["name"], subresource)
        return self._ask("PATCH", f"{path}?fieldManager={MANAGER}&force=true", manifest)

    def delete(self, resource: Resource, namespace: str, name: str) -> None:
        """Deletes an object."""
        self._ask("DELETE", _path(resource, namespace, name))

    def watch(self, resource: Resource, changed: threading.Event) -> None:
        """Sets `changed` at every event of a kind, in a thread for as long as the program runs."""
        threading.Thread(target=self._watch, args=(resource, changed), daemon=True).start()

    def _watch(self, resource: Resource, changed: threading.Event) -> None:
        while True:
            try:
                with closing(self._connection(_WATCH_SECONDS + _SECONDS)) as connection:
                    connection.request("GET", f"{'/'.join(resource)}?watch=1&timeoutSeconds={_WATCH_SECONDS}")
                    response = connection.getresponse()
                    while response.readline():
                        changed.set()
            except (OSError, HTTPException) as error:
                print(f"watch of {resource[1]}: {error!r}", flush=True)
            time.sleep(_PAUSE)

    def _ask(self, method: str, path: str, body: Object | None = None) -> Object:
        for _ in range(_ATTEMPTS):
            try:
                return self._try(method, path, body)
            except RefusedError as refused:
                # The storage of a kind that was just installed is being prepared.
                if refused.status != 429:
                    raise
                time.sleep(_PAUSE)
        return self._try(method, path, body)

    def _try(self, method: str, path: str, body: Object | None) -> Object:
        sent = None if body is None else json.dumps(body)
        with closing(self._connection(_SECONDS)) as connection:
            connection.request(method, path, sent, {"Content-Type": "application/apply-patch+yaml"})
            response = connection.getresponse()
            answer: Object = json.loads(response.read() or b"{}")
            if response.status >= 400:
                raise RefusedError(response.status, answer.get("message", ""))
            return answer

    def _connection(self, seconds: float) -> HTTPSConnection:
        return HTTPSConnection(self._host, self._port, timeout=seconds, context=self._trust)


def _path(resource: Resource, namespace: str, name: str, subresource: str = "") -> str:
    group, plural = resource
    inside = f"/namespaces/{namespace}" if namespace else ""
    return f"{group}{inside}/{plural}/{name}" + (f"/{subresource}" if subresource else "")


def _plain(encoded: str) -> str:
    return base64.b64decode(encoded).decode()
