"""A namespace of the real cluster: its objects, conditions, pods, and HTTP responses of its sites."""

import json
import urllib.error
import urllib.request
from collections.abc import Callable
from http.cookiejar import CookieJar
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlencode

from sandbox.control_plane import KubectlError
from sandbox.deadline import until
from sandbox.installation import RESTRICTED, Kubectl, Operator

GROUP = "vyogo.tech/v1alpha1"
READY_SECONDS = 300.0


class Answer(NamedTuple):
    """An HTTP response."""

    status: int
    body: str
    headers: dict[str, str]


class Visitor:
    """An HTTP client with cookies. Redirects are not followed."""

    def __init__(self, address: str, host: str) -> None:
        self._address, self._host = address, host
        handlers = [urllib.request.HTTPCookieProcessor(CookieJar()), _Stay()]
        self._opener = urllib.request.build_opener(*handlers)

    def get(self, path: str, **headers: str) -> Answer:
        return self._send(path, None, headers)

    def post(self, path: str, form: dict[str, str]) -> Answer:
        return self._send(path, urlencode(form).encode(), {})

    def _send(self, path: str, body: bytes | None, headers: dict[str, str]) -> Answer:
        names = {"Host": self._host, **{name.replace("_", "-"): value for name, value in headers.items()}}
        request = urllib.request.Request(f"http://{self._address}{path}", body, names)
        try:
            with self._opener.open(request, timeout=30) as response:
                return Answer(response.status, response.read().decode(errors="replace"), dict(response.headers))
        except urllib.error.HTTPError as error:
            with error:
                return Answer(error.code, error.read().decode(errors="replace"), dict(error.headers))


class _Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None


class Namespace(NamedTuple):
    """A namespace whose benches and sites the operator reconciles."""

    kubectl: Kubectl
    operator: Operator
    name: str

    def make(self) -> None:
        """The namespace itself, restricted."""
        meta = {"name": self.name, "labels": RESTRICTED}
        self.kubectl.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": meta})

    def bench(self, name: str, **spec: Any) -> None:
        """Declares a bench."""
        small = {"storage": {"size": "1Gi"}, "databaseConfig": {"storageSize": "1Gi"}}
        self.kubectl.apply(self._object("FrappeBench", name, {"frappeVersion": "version-15", **small, **spec}))

    def site(self, name: str, bench: str, host: str, **spec: Any) -> None:
        """Declares a site."""
        base = {"benchRef": {"name": bench}, "siteName": host, "storage": {"size": "1Gi"}}
        self.kubectl.apply(self._object("FrappeSite", name, {**base, **spec}))

    def _object(self, kind: str, name: str, spec: dict[str, Any]) -> dict[str, Any]:
        return {
            "apiVersion": GROUP,
            "kind": kind,
            "metadata": {"namespace": self.name, "name": name},
            "spec": spec,
        }

    def get(self, *arguments: str) -> dict[str, Any]:
        return self.kubectl.get(*arguments, f"--namespace={self.name}")

    def find(self, *arguments: str) -> dict[str, Any] | None:
        """An object, None when there is none."""
        try:
            return self.get(*arguments)
        except KubectlError as error:
            if "NotFound" in str(error):
                return None
            raise

    def run(self, *arguments: str, given: str | None = None) -> str:
        return self.kubectl(f"--namespace={self.name}", *arguments, given=given)

    def condition(self, kind: str, name: str, type_: str = "Ready") -> dict[str, str]:
        """A condition, with empty fields while there is none."""
        status = (self.find(kind, name) or {}).get("status", {})
        found = [each for each in status.get("conditions", []) if each["type"] == type_]
        return found[0] if found else {"status": "", "reason": "", "message": ""}

    def until(self, true: Callable[[], bool], what: str, seconds: float = READY_SECONDS) -> None:
        """Waits; what the operator thinks is part of the failure."""
        try:
            until(true, seconds, what)
        except Exception as error:
            error.add_note(self.kubectl("get", "fb,fs,pods", f"--namespace={self.name}", "-o", "wide"))
            error.add_note(self.operator.log.read_text()[-3000:])
            raise

    def until_ready(self, kind: str, name: str, seconds: float = READY_SECONDS) -> None:
        """Waits until an object is Ready for its newest generation."""

        def ready() -> bool:
            live = self.find(kind, name) or {}
            wanted = live.get("metadata", {}).get("generation")
            return any(
                each["type"] == "Ready" and each["status"] == "True" and each.get("observedGeneration") == wanted
                for each in live.get("status", {}).get("conditions", [])
            )

        self.until(ready, f"{kind} {name} to be Ready", seconds)

    def address(self, service: str) -> str:
        """Where a Service answers from this machine."""
        spec = self.get("service", service)["spec"]
        return f"{spec['clusterIP']}:{spec['ports'][0]['port']}"

    def visitor(self, bench: str, host: str) -> Visitor:
        """Somebody who comes through the bench's proxy."""
        return Visitor(self.address(f"{bench}-nginx"), host)

    def password(self, site: str) -> str:
        """Administrator's first password."""
        text = self.run("get", "secret", f"{site}-admin", "--template={{.data.password | base64decode}}")
        assert text
        return text

    def pods(self, selector: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.get("pods", f"--selector={selector}")["items"]
        return found

    def ledger(self, site: str, host: str) -> list[dict[str, str]]:
        """The lines that every run of new-site left in the site's directory."""
        path = f"sites/{host}/.frappe-operator/ledger.jsonl"
        deployment = f"deployment/{site}-gunicorn"
        text = self.run("exec", deployment, "--container=gunicorn", "--", "cat", f"/home/frappe/frappe-bench/{path}")
        return [json.loads(line) for line in text.splitlines()]


def process_of(pod: dict[str, Any], program: str) -> int:
    """The machine's number of a pod's process: from inside its own namespace a first process cannot be stopped."""
    uid = pod["metadata"]["uid"]
    for process in Path("/proc").glob("[0-9]*"):
        try:
            groups = (process / "cgroup").read_text().replace("_", "-")
            name = (process / "comm").read_text().strip()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if uid in groups and name == program:
            return int(process.name)
    raise LookupError(f"{pod['metadata']['name']} runs no {program}")
