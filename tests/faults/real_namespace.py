"""One namespace of a real cluster: what people do there, and what there is at the end."""

import asyncio
import json
import re
from collections.abc import Iterable

from fakecluster.world import of_the_past, seen_twice
from frappe_operator.kube import kinds
from frappe_operator.kube.kinds import BENCH, SITE, Key, Kind, Manifest
from frappe_operator.runtime.client.client import Client, decoded
from tests.faults.cluster_observer import CHILDREN
from tests.faults.evidence import leaking
from tests.faults.scenarios import Add, Delete, Edit, Step

CLUSTERS = ("deployment.kubernetes.io/", "pv.kubernetes.io/", "volume.beta.kubernetes.io/", "volume.kubernetes.io/")
"""Annotations of the cluster's own, which come when they come."""
CLUSTERS_OBJECTS = {"kube-root-ca.crt"}

Stored = list[tuple[Kind, Manifest]]


class Place:
    """One namespace."""

    def __init__(self, client: Client, namespace: str) -> None:
        self._client = client
        self.namespace = namespace
        self.edits: list[tuple[float, Kind, Key]] = []
        """When somebody asked something else of an object than before."""

    async def make(self) -> None:
        """Begins it. It is never cleared: that would cost as much again as all that is played in it."""
        await self._client.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self.namespace}})

    async def do(self, step: Step) -> None:
        """One step, as people do it."""
        for each in step:
            match each:
                case Add(obj):
                    kind, name = kinds.ALL[obj["apiVersion"], obj["kind"]], obj["metadata"]["name"]
                    self._edited(kind, name)
                    await self._client.create({**obj, "metadata": {"namespace": self.namespace, "name": name}})
                case Edit(kind, name, spec):
                    self._edited(kind, name)
                    await self._client.patch(kind, self.namespace, name, {"spec": spec})
                case Delete(kind, name):
                    uid = decoded(await self._client.get(kind, self.namespace, name))["metadata"]["uid"]
                    # Once when it is asked for, once when it is gone.
                    self._edited(kind, name, times=2)
                    await self._client.delete(kind, self.namespace, name, uid)

    async def stored(self) -> Stored:
        """Everything in it that the operator makes, or people do."""
        found = await self._all(*CHILDREN, BENCH, SITE)
        return [(kind, obj) for kind, obj in found if obj["metadata"]["name"] not in CLUSTERS_OBJECTS]

    async def asked_for(self) -> dict[str, int]:
        """By UID, the version of each bench and site."""
        found = [obj["metadata"] for _, obj in await self._all(BENCH, SITE)]
        return {metadata["uid"]: int(metadata["resourceVersion"]) for metadata in found}

    def picture(self, stored: Stored) -> dict[str, Manifest]:
        """What the ends of two plays are compared by."""
        named = ((kind, obj["metadata"]["name"], obj) for kind, obj in stored)
        return {
            f"{kind.kind} {name}": self._seen(kind, obj) for kind, name, obj in named if not of_the_past(kind, name)
        }

    async def _all(self, *wanted: Kind) -> Stored:
        found: Stored = []
        for kind in wanted:
            async for page in self._client.pages(kind, self.namespace):
                found += [(kind, json.loads(bytes(item))) for item in page.items]
        return found

    def _edited(self, kind: Kind, name: str, times: int = 1) -> None:
        self.edits += [(asyncio.get_running_loop().time(), kind, Key(self.namespace, name))] * times

    def _seen(self, kind: Kind, obj: Manifest) -> Manifest:
        """An object without what differs between namespaces, and without what the cluster says of it."""
        plain = {**obj, "kind": kind.kind}
        if kind not in (BENCH, SITE):
            plain.pop("status", None)
        annotations = plain["metadata"].get("annotations", {})
        own = {name: value for name, value in annotations.items() if not name.startswith(CLUSTERS)}
        plain["metadata"] = {**plain["metadata"], "annotations": own}
        text = json.dumps(seen_twice(plain)).replace(self.namespace, "here")
        # Database and queues are named after their site's UID, and a Job's inputs are these names among others.
        text = re.sub(r"_?[0-9a-f]{16}_[0-9a-f]{8}", "database", text)
        text = re.sub(r'(--bench-id=|"vyogo.tech/queues": ")([a-z]+)-[0-9a-f]{8}', r"\1\2", text)
        text = re.sub(r'"vyogo.tech/origin": "[0-9a-f]+"', '"vyogo.tech/origin": ""', text)
        text = re.sub(r'"vyogo.tech/inputs": "[0-9a-f]+"', '"vyogo.tech/inputs": ""', text)
        shown: Manifest = json.loads(text)
        return shown


def shown_secrets(stored: Stored) -> Iterable[str]:
    """Objects with a password in them that are no Secrets."""
    for kind, obj in stored:
        if kind != kinds.SECRET and leaking(json.dumps(obj).encode()):
            yield f"{kind.kind} {obj['metadata']['name']}"
