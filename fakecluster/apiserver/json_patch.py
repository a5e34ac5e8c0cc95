"""JSON patches, with the operations that operators send: add, replace, remove and test."""

from typing import Any

import orjson

from fakecluster.apiserver.errors import StatusError
from frappe_operator.kube.objects import Manifest


def json_patched(live: Manifest, operations: Any) -> Manifest:
    """A JSON patch's result, for what operators send: add, replace, remove and test."""
    new: Manifest = orjson.loads(orjson.dumps(live))
    for operation in operations:
        *way, last = [part.replace("~1", "/").replace("~0", "~") for part in operation["path"].strip("/").split("/")]
        here: Any = new
        for part in way:
            here = here[int(part)] if isinstance(here, list) else here.get(part)
            if here is None:
                raise StatusError(422, "Invalid", f"the path {operation['path']} does not exist")
        _operate(here, last, operation)
    return new


def _operate(here: Any, last: str, operation: Manifest) -> None:
    verb = operation["op"]
    place: Any = last
    if isinstance(here, list):
        place = len(here) if last == "-" else int(last)
    exists = place < len(here) if isinstance(here, list) else place in here
    if verb != "add" and not exists:
        raise StatusError(422, "Invalid", f"the path {operation['path']} does not exist")
    if verb == "test":
        if here[place] != operation["value"]:
            raise StatusError(422, "Invalid", f"testing path {operation['path']}: value differs")
    elif verb == "remove":
        del here[place]
    elif verb == "add" and isinstance(here, list):
        here.insert(place, operation["value"])
    else:
        here[place] = operation["value"]
