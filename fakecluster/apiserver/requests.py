"""What one request to the API server asks for: the verb, the object and the options in its method, path and query."""

import json
from collections.abc import Iterable
from typing import NamedTuple
from urllib.parse import unquote

from frappe_operator.kube.kinds import Kind, Ref
from frappe_operator.runtime.client.transport import Headers, Query


class ApiRequest(NamedTuple):
    """One request, parsed."""

    method: str
    kind: Kind
    namespace: str
    name: str
    subresource: str
    query: Query
    headers: Headers
    body: bytes | None

    @property
    def ref(self) -> Ref:
        return Ref(self.kind, self.namespace, self.name)

    @property
    def metadata_only(self) -> bool:
        return "as=PartialObjectMetadata" in self.headers.get("Accept", "")

    @property
    def verb(self) -> str:
        """The verb as RBAC and the audit log call it; an apply is a verb of its own here."""
        if self.method == "GET":
            return "watch" if self.query.get("watch") in {"1", "true"} else ("get" if self.name else "list")
        if self.method == "PATCH":
            return "apply" if "apply-patch" in self.headers.get("Content-Type", "") else "patch"
        return {"POST": "create", "PUT": "update", "DELETE": "delete"}[self.method]


def parse_request(
    kinds: Iterable[Kind], method: str, path: str, query: Query, headers: Headers, body: bytes | None
) -> ApiRequest | None:
    """Parses a request; None when it is for none of these kinds."""
    parts = [unquote(part) for part in path.strip("/").split("/")]
    if parts[0] == "api" and len(parts) > 2:
        group, version, rest = "", parts[1], parts[2:]
    elif parts[0] == "apis" and len(parts) > 3:
        group, version, rest = parts[1], parts[2], parts[3:]
    else:
        return None
    namespace = ""
    if rest[0] == "namespaces" and len(rest) > 2 and rest[2] not in {"status", "finalize"}:
        namespace, rest = rest[1], rest[2:]
    for kind in kinds:
        if (kind.group, kind.version, kind.plural) == (group, version, rest[0]):
            name, subresource = [*rest[1:], "", ""][:2]
            if method == "POST" and not name and body:
                name = json.loads(body).get("metadata", {}).get("name", "")
            return ApiRequest(method, kind, namespace, name, subresource, query, headers, body)
    return None
