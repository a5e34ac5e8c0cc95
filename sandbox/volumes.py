"""Answers claims for storage with folders of this machine."""

import argparse
import asyncio
import base64
import json
import logging
import shutil
import ssl
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import yaml

from sandbox.control_plane import ControlPlane
from sandbox.processes import Process
from sandbox.progress import Progress
from sandbox.state import State

CLASS = "standard"
"""The cluster's default StorageClass."""
PROVISIONER = "sandbox.vyogo.tech/folders"

_PROVISIONED_BY = "pv.kubernetes.io/provisioned-by"
_ASKED_OF = "volume.kubernetes.io/storage-provisioner"
_CLAIMS = "/api/v1/persistentvolumeclaims"
_VOLUMES = "/api/v1/persistentvolumes"
_CLASSES = "/apis/storage.k8s.io/v1/storageclasses"
_WATCH_SECONDS = 240
_BACKOFF_SECONDS = 1.0

Object = dict[str, Any]
Look = Callable[[Object], Awaitable[None]]


class Volumes:
    """The provisioner of one cluster, as a process of it."""

    def __init__(self, state: State, control: ControlPlane, progress: Progress) -> None:
        self._state = state
        self._control = control
        self._progress = progress
        self._process = Process(state, "volumes")

    @property
    def folder(self) -> Path:
        """Where the volumes' folders lie, each named as its PersistentVolume."""
        return self._state.folder("volumes")

    def up(self) -> None:
        """Make the default StorageClass and start answering claims. Returns at once: claims wait for it."""
        with self._progress.step("Starting the volume provisioner"):
            self._control.kubectl("apply", "-f", "-", input=json.dumps(storage_class()))
            self._process.start(
                [
                    *(sys.executable, "-m", "sandbox.volumes"),
                    f"--kubeconfig={self._control.kubeconfig_for('volumes', ('system:masters',))}",
                    f"--root={self.folder}",
                ],
                cwd=Path(__file__).parent.parent,
            )

    def down(self) -> None:
        """Stop answering. The folders stay: they are the cluster's data."""
        self._process.stop()


def storage_class() -> Object:
    """The StorageClass whose claims are answered here."""
    return {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {"name": CLASS, "annotations": {"storageclass.kubernetes.io/is-default-class": "true"}},
        "provisioner": PROVISIONER,
        "volumeBindingMode": "WaitForFirstConsumer",
        "reclaimPolicy": "Delete",
        "allowVolumeExpansion": True,
    }


def volume(claim: Object, path: Path, reclaim_policy: str) -> Object:
    """The PersistentVolume that answers `claim` with the folder `path`."""
    spec, metadata = claim["spec"], claim["metadata"]
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": _name(claim), "annotations": {_PROVISIONED_BY: PROVISIONER}},
        "spec": {
            "storageClassName": spec["storageClassName"],
            "capacity": {"storage": spec["resources"]["requests"]["storage"]},
            "accessModes": spec["accessModes"],
            "persistentVolumeReclaimPolicy": reclaim_policy,
            "hostPath": {"path": str(path), "type": "Directory"},
            "claimRef": {
                "apiVersion": "v1",
                "kind": "PersistentVolumeClaim",
                **{key: metadata[key] for key in ("namespace", "name", "uid")},
            },
        },
    }


class Provisioner:
    """Looks at claims and volumes one at a time and does what is to be done for each; looking again does no harm."""

    def __init__(self, api: "Api", root: Path) -> None:
        self._api = api
        self._root = root

    async def run(self) -> None:
        """Look at every claim and volume, and again whenever one changes, until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._api.follow(_CLAIMS, self.look_at_claim))
            group.create_task(self._api.follow(_VOLUMES, self.look_at_volume))

    async def look_at_claim(self, claim: Object) -> None:
        """Give a claim its volume, or the bigger one it asks for now."""
        metadata, spec, status = claim["metadata"], claim["spec"], claim.get("status", {})
        if metadata.get("annotations", {}).get(_ASKED_OF) != PROVISIONER or "deletionTimestamp" in metadata:
            return
        if status.get("phase") == "Pending" and not spec.get("volumeName"):
            await self._provide(claim)
        # The API server spells quantities in one way and refuses shrinking: another word means more.
        elif status.get("phase") == "Bound" and status["capacity"] != spec["resources"]["requests"]:
            await self._grow(claim)

    async def look_at_volume(self, volume: Object) -> None:
        """Remove a volume whose claim is gone, with all that is in it, unless it is to be retained."""
        metadata, spec = volume["metadata"], volume["spec"]
        ours = metadata.get("annotations", {}).get(_PROVISIONED_BY) == PROVISIONER
        released = volume.get("status", {}).get("phase") == "Released" and "deletionTimestamp" not in metadata
        if ours and released and spec["persistentVolumeReclaimPolicy"] == "Delete":
            # By its name, not by the path it holds: that could have been edited to be any folder of the machine.
            await asyncio.to_thread(_remove, self._root / metadata["name"])
            await self._api.call("DELETE", f"{_VOLUMES}/{metadata['name']}", absent_is_fine=True)
            logging.info("removed %s", metadata["name"])

    async def _provide(self, claim: Object) -> None:
        name = _name(claim)
        if claim["spec"].get("volumeMode", "Filesystem") != "Filesystem":
            logging.warning("%s: only file systems can be had here", name)
            return
        asked = await self._api.call("GET", f"{_CLASSES}/{claim['spec']['storageClassName']}")
        path = self._root / name
        path.mkdir(parents=True, exist_ok=True)
        # Any user may write, as with a driver that gives the volume to the pod's fsGroup: kubelets do not for folders.
        path.chmod(0o777)
        made = volume(claim, path, asked["reclaimPolicy"])
        await self._api.call("POST", _VOLUMES, made, present_is_fine=True)
        logging.info("%s/%s gets %s", claim["metadata"]["namespace"], claim["metadata"]["name"], name)

    async def _grow(self, claim: Object) -> None:
        # A folder has no size: what is asked for is granted by saying so, on the volume and then on the claim.
        size = {"capacity": claim["spec"]["resources"]["requests"]}
        metadata = claim["metadata"]
        await self._api.call("PATCH", f"{_VOLUMES}/{claim['spec']['volumeName']}", {"spec": size})
        path = f"/api/v1/namespaces/{metadata['namespace']}/persistentvolumeclaims/{metadata['name']}/status"
        await self._api.call("PATCH", path, {"status": size}, absent_is_fine=True)


class Api:
    """The little of the Kubernetes API that is needed here."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        """`session` knows the server's address and how to be believed there."""
        self._session = session

    async def call(
        self,
        method: str,
        path: str,
        body: Object | None = None,
        *,
        absent_is_fine: bool = False,
        present_is_fine: bool = False,
    ) -> Object:
        """One request; the answered object. Raises aiohttp.ClientResponseError for any other refusal."""
        kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
        data = None if body is None else json.dumps(body)
        async with self._session.request(method, path, data=data, headers={"Content-Type": kind}) as answer:
            fine = (absent_is_fine and answer.status == 404) or (present_is_fine and answer.status == 409)
            if not fine:
                answer.raise_for_status()
            return dict(await answer.json())

    async def follow(self, path: str, look: Look) -> None:
        """`look` at each object there is and at each that changes. After any trouble, look at all of them again."""
        while True:
            try:
                listed = await self.call("GET", path)
                # One that cannot be helped keeps nobody else from being looked at.
                if all([await _looked(look, found) for found in listed["items"]]):
                    async for changed in self._changes(path, listed["metadata"]["resourceVersion"]):
                        await look(changed)
                    continue
            except (aiohttp.ClientError, TimeoutError, OSError) as trouble:
                logging.warning("%s: %s; looking at everything again", path, trouble)
            await asyncio.sleep(_BACKOFF_SECONDS)

    async def _changes(self, path: str, since: str) -> AsyncIterator[Object]:
        asked = {"watch": "1", "resourceVersion": since, "timeoutSeconds": str(_WATCH_SECONDS)}
        # A connection that has gone silent is given up a little after the server should have ended it.
        patience = aiohttp.ClientTimeout(total=_WATCH_SECONDS + 10)
        async with self._session.get(path, params=asked, timeout=patience, read_bufsize=1 << 21) as answer:
            answer.raise_for_status()
            async for line in answer.content:
                event = json.loads(line)
                if event["type"] == "ERROR":
                    return
                if event["type"] != "DELETED":
                    yield event["object"]


def connect(kubeconfig: Path) -> aiohttp.ClientSession:
    """A session with the server of a kubeconfig as the sandbox writes them: certificates inside."""
    config = yaml.safe_load(kubeconfig.read_text())
    cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
    trust = ssl.create_default_context(cadata=base64.b64decode(cluster["certificate-authority-data"]).decode())
    with tempfile.NamedTemporaryFile() as pem:
        for part in ("client-certificate-data", "client-key-data"):
            pem.write(base64.b64decode(user[part]))
        pem.flush()
        trust.load_cert_chain(pem.name)
    return aiohttp.ClientSession(cluster["server"], connector=aiohttp.TCPConnector(ssl=trust))


async def _looked(look: Look, found: Object) -> bool:
    try:
        await look(found)
    except (aiohttp.ClientResponseError, OSError) as trouble:
        logging.warning("%s: %s", found["metadata"]["name"], trouble)
        return False
    return True


def _name(claim: Object) -> str:
    return f"pvc-{claim['metadata']['uid']}"


def _remove(folder: Path) -> None:
    if folder.exists():
        shutil.rmtree(folder)


async def _main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kubeconfig", type=Path, required=True)
    parser.add_argument("--root", type=Path, required=True, help="the folder in which volumes are made")
    chosen = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    async with connect(chosen.kubeconfig) as session:
        await Provisioner(Api(session), chosen.root).run()


if __name__ == "__main__":
    asyncio.run(_main())
