"""What a request does to the objects there are, and what it is answered. Everything it is told is a value."""

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

import msgspec
import orjson

from frappe_operator.kube.kinds import EVENT
from frappe_operator.kube.objects import Manifest
from frappe_operator.runtime.client.client import APPLY
from frappe_operator.runtime.client.transport import Query, Response
from tests.modelcheck.minimal_controller import CLAIM, FINALIZER, NAMES, OWNER, REFS
from tests.modelcheck.objects import ENTRIES, FIRST_VERSION, NOTHING, TEXTS, Entry, body, manifest, text, uid_of


class ApiRequest(NamedTuple):
    """A request, as far as anybody cares."""

    verb: str
    """`get`, `create`, `apply`, `finalizers`, `status`, `delete`."""
    part: int
    uid: str = ""
    """The object must have it."""
    version: str = ""
    what: int = 0
    """The manifest or the patch; of `finalizers`, whether ours is in it."""

    def __str__(self) -> str:
        return f"{self.verb} {NAMES[self.part]}"

    @property
    def writes(self) -> bool:
        return self.verb != "get"


class Answer(NamedTuple):
    """`code` 0: the answer is lost, and the operator knows nothing."""

    code: int
    entry: int = NOTHING
    reason: str = ""

    def __str__(self) -> str:
        return f"{self.code} {self.reason}".strip() if self.code else "nothing, the connection broke"


_BY_PATH = {ref.kind.path(ref.namespace, ref.name): index for index, ref in enumerate(REFS)}
_BY_KIND = {ref.kind.path(ref.namespace): index for index, ref in enumerate(REFS)}
_STATUS = {f"{path}/status": index for path, index in _BY_PATH.items()}
_EVENTS = EVENT.path(REFS[OWNER].namespace)


def take_apart(
    method: str, path: str, query: Query, headers: Mapping[str, str], sent: bytes | None
) -> ApiRequest | None:
    """A request as it left the client. None: an Event, on which nothing depends."""
    if path == _EVENTS:
        return None
    if method == "GET":
        return ApiRequest("get", _BY_PATH[path])
    said: Manifest = orjson.loads(sent or b"{}")
    if method == "DELETE":
        guard = said.get("preconditions", {})
        return ApiRequest("delete", _BY_PATH[path], guard.get("uid", ""), guard.get("resourceVersion", ""))
    if method == "POST":
        return ApiRequest("create", _BY_KIND[path], what=text(said))
    guard = {name: said["metadata"].pop(name, "") for name in ("uid", "resourceVersion")}
    if path in _STATUS:
        return ApiRequest("status", _STATUS[path], guard["uid"], guard["resourceVersion"], text(said["status"]))
    index = _BY_PATH[path]
    if headers["Content-Type"] == APPLY:
        return ApiRequest("apply", index, guard["uid"], guard["resourceVersion"], text(said))
    assert set(said) == {"metadata"}, said
    assert set(said["metadata"]) == {"finalizers"}, said
    return ApiRequest(
        "finalizers", index, guard["uid"], guard["resourceVersion"], FINALIZER in said["metadata"]["finalizers"]
    )


def response(answer: Answer) -> Response:
    """The answer as it comes to the client."""
    if answer.entry:
        return Response(answer.code, {}, body(answer.entry))
    failed = answer.code >= 300
    told = {
        "kind": "Status",
        "status": "Failure" if failed else "Success",
        "reason": answer.reason,
        "code": answer.code,
    }
    return Response(answer.code, {}, orjson.dumps(told))


class Objects(Protocol):
    """What a request works on."""

    def live(self, index: int) -> Entry | None:
        """The object as it is, None when it is not."""

    def born(self, index: int) -> int:
        """How many of that name there have been."""

    def put(self, entry: Entry) -> int:
        """A new version; its number."""


def serve(objects: Objects, request: ApiRequest) -> Answer:
    """Does what is requested."""
    live = objects.live(request.part)
    if request.verb == "create":
        return Answer(409, reason="AlreadyExists") if live else _made(objects, request)
    if live is None:
        if request.verb == "apply":
            return Answer(409, reason="Conflict") if request.uid else _made(objects, request)
        return Answer(404, reason="NotFound")
    if request.verb == "get":
        return Answer(200, ENTRIES.number(live))
    if request.uid not in ("", live.uid) or request.version not in ("", str(live.version)):
        return Answer(409, reason="Conflict")
    return _WRITES[request.verb](objects, live, request)


def next_version(live: Entry, **changes: Any) -> Entry:
    return live._replace(version=live.version + 1, **changes)


def _made(objects: Objects, request: ApiRequest) -> Answer:
    entry = Entry(request.part, objects.born(request.part) + 1, FIRST_VERSION, 1, request.what)
    return Answer(201, objects.put(entry))


def _apply(objects: Objects, live: Entry, request: ApiRequest) -> Answer:
    if live.what == request.what and not live.meddled:
        return Answer(200, ENTRIES.number(live))
    after = next_version(live, generation=live.generation + 1, what=request.what, meddled=False)
    return Answer(200, objects.put(after))


def _finalizers(objects: Objects, live: Entry, request: ApiRequest) -> Answer:
    if live.finalizer == bool(request.what):
        return Answer(200, ENTRIES.number(live))
    after = next_version(live, finalizer=bool(request.what))
    if live.deleting and not after.finalizer:
        # The watch only tells that it is gone; the answer still shows it.
        objects.put(after._replace(gone=True))
        return Answer(200, ENTRIES.number(after))
    return Answer(200, objects.put(after))


def _status(objects: Objects, live: Entry, request: ApiRequest) -> Answer:
    said = text(_merged(manifest(live.status), msgspec.json.decode(TEXTS[request.what])))
    if said == live.status:
        return Answer(200, ENTRIES.number(live))
    return Answer(200, objects.put(next_version(live, status=said)))


def _merged(before: Any, patch: Any) -> Any:
    if not isinstance(patch, dict):
        return patch
    result = dict(before) if isinstance(before, dict) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = _merged(result.get(name), value)
    return result


def _delete(objects: Objects, live: Entry, request: ApiRequest) -> Answer:
    after = removed(live)
    number = objects.put(after)
    return Answer(200, reason="Success") if after.gone else Answer(200, number)


def removed(live: Entry) -> Entry:
    """An object after its deletion was asked for."""
    stays = live.finalizer or live.part == CLAIM
    if live.deleting:
        return live
    return next_version(live, deleting=True) if stays else next_version(live, gone=True)


_WRITES = {"apply": _apply, "finalizers": _finalizers, "status": _status, "delete": _delete}


def owner_uid(entry: Entry) -> str:
    """UID of the object's controller, empty when it has none."""
    for owner in manifest(entry.what).get("metadata", {}).get("ownerReferences") or []:
        return str(owner["uid"])
    return ""


def toy_uid(born: int) -> str:
    return uid_of(OWNER, born)
