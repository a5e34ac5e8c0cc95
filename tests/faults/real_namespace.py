"""One namespace of a real cluster: applies the steps of a scenario and reads the final objects."""

import asyncio
import json
import re
from collections.abc import Iterable

from fakecluster.comparison import is_history, without_volatile
from frappe_operator.api import kinds as api_kinds
from frappe_operator.api.kinds import BENCH, SITE
from frappe_operator.kube import kinds
from frappe_operator.kube.kinds import Kind
from frappe_operator.kube.objects import Key, Manifest
from frappe_operator.runtime.client.client import Client, decoded
from tests.faults.cluster_observer import CHILDREN
from tests.faults.evidence import contains_password
from tests.faults.scenarios import Add, Delete, Edit, Step

CLUSTERS = ("deployment.kubernetes.io/", "pv.kubernetes.io/", "volume.beta.kubernetes.io/", "volume.kubernetes.io/")
"""Annotations that the cluster's controllers set at any time."""
CLUSTERS_OBJECTS = {"kube-root-ca.crt"}

Stored = list[tuple[Kind, Manifest]]


class RealNamespace:
    """One namespace of a real cluster."""

    def __init__(self, client: Client, namespace: str) -> None:
        self._client = client
        self.namespace = namespace
        self.edits: list[tuple[float, Kind, Key]] = []
        """When the spec of an object was changed."""

    async def make(self) -> None:
        """Creates the namespace. It is never deleted: that would cost as much as the run itself."""
        await self._client.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self.namespace}})

    async def do(self, step: Step) -> None:
        """Applies one step."""
        for each in step:
            match each:
                case Add(obj):
                    kind, name = api_kinds.ALL[obj["apiVersion"], obj["kind"]], obj["metadata"]["name"]
                    self._edited(kind, name)
                    await self._client.create({**obj, "metadata": {"namespace": self.namespace, "name": name}})
                case Edit(kind, name):
                    self._edited(kind, name)
                    await self._client.patch(kind, self.namespace, name, each.patch)
                case Delete(kind, name):
                    uid = decoded(await self._client.get(kind, self.namespace, name))["metadata"]["uid"]
                    # Once when it is asked for, once when it is gone.
                    self._edited(kind, name, times=2)
                    await self._client.delete(kind, self.namespace, name, uid)

    async def stored(self) -> Stored:
        """All objects in it that the operator or a user has created."""
        found = await self._all(*CHILDREN, BENCH, SITE)
        return [(kind, obj) for kind, obj in found if obj["metadata"]["name"] not in CLUSTERS_OBJECTS]

    async def asked_for(self) -> dict[str, int]:
        """By UID, the version of each bench and site."""
        found = [obj["metadata"] for _, obj in await self._all(BENCH, SITE)]
        return {metadata["uid"]: int(metadata["resourceVersion"]) for metadata in found}

    def comparable_objects(self, stored: Stored) -> dict[str, Manifest]:
        """The objects without the fields that differ between any two runs."""
        named = ((kind, obj["metadata"]["name"], obj) for kind, obj in stored)
        return {f"{kind.kind} {name}": self._seen(kind, obj) for kind, name, obj in named if not is_history(kind, name)}

    async def _all(self, *wanted: Kind) -> Stored:
        found: Stored = []
        for kind in wanted:
            async for page in self._client.pages(kind, self.namespace):
                found += [(kind, json.loads(bytes(item))) for item in page.items]
        return found

    def _edited(self, kind: Kind, name: str, times: int = 1) -> None:
        self.edits += [(asyncio.get_running_loop().time(), kind, Key(self.namespace, name))] * times

    def _seen(self, kind: Kind, obj: Manifest) -> Manifest:
        """An object without what depends on its namespace, and without what the cluster's controllers write."""
        plain = {**obj, "kind": kind.kind}
        if kind not in (BENCH, SITE):
            plain.pop("status", None)
        annotations = plain["metadata"].get("annotations", {})
        own = {name: value for name, value in annotations.items() if not name.startswith(CLUSTERS)}
        plain["metadata"] = {**plain["metadata"], "annotations": own}
        text = json.dumps(without_volatile(plain)).replace(self.namespace, "here")
        # Database and queues are named after their site's UID, and a Job's inputs are these names among others.
        text = re.sub(r"_?[0-9a-f]{16}_[0-9a-f]{8}", "database", text)
        text = re.sub(r'(--bench-id=|"vyogo.tech/queues": ")([a-z]+)-[0-9a-f]{8}', r"\1\2", text)
        text = re.sub(r'"vyogo.tech/origin": "[0-9a-f]+"', '"vyogo.tech/origin": ""', text)
        text = re.sub(r'"vyogo.tech/inputs": "[0-9a-f]+"', '"vyogo.tech/inputs": ""', text)
        shown: Manifest = json.loads(text)
        return shown


def shown_secrets(stored: Stored) -> Iterable[str]:
    """Objects other than Secrets that contain a password."""
    for kind, obj in stored:
        if kind != kinds.SECRET and contains_password(json.dumps(obj).encode()):
            yield f"{kind.kind} {obj['metadata']['name']}"
