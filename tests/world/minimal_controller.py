"""A minimal controller on the runtime: a Toy has a ConfigMap, a Secret, a Job and a Deployment."""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from fakecluster.controllers.kubelet import succeeds
from fakecluster.world import World
from frappe_operator.kube.kinds import CONFIG_MAP, DEPLOYMENT, JOB, SECRET, Kind, KindOf
from frappe_operator.kube.live import Custom, Live
from frappe_operator.kube.names import INSTANCE, MANAGED_BY, OPERATOR_SELECTOR
from frappe_operator.kube.objects import Key, Manifest
from frappe_operator.kube.readiness import exist, jobs_succeeded, workloads_available
from frappe_operator.kube.stage import Stage
from frappe_operator.runtime.apply.children import apply
from frappe_operator.runtime.apply.finalizers import ensure_finalizer, remove_finalizer
from frappe_operator.runtime.cluster import Cluster
from frappe_operator.runtime.controller import Controller, Watch, owned_by
from frappe_operator.runtime.status.report import report

TOY = KindOf("toys.example.com", "v1", "Toy", "toys", Custom)
FINALIZER = "toys.example.com/put-away"


def a_toy(name: str = "bear", **spec: Any) -> Manifest:
    return {"apiVersion": TOY.api_version, "kind": "Toy", "metadata": {"name": name}, "spec": {"size": 1, **spec}}


def _child(kind: Kind, owner: Live, part: str, **body: Any) -> Manifest:
    labels = {MANAGED_BY: "frappe-operator", INSTANCE: owner.metadata.name, "part": part}
    metadata = {"namespace": owner.metadata.namespace, "name": f"{owner.metadata.name}-{part}", "labels": labels}
    return {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": metadata, **body}


def _pod(labels: dict[str, str], image: str, **more: Any) -> Manifest:
    limits = {"limits": {"cpu": "1000m", "memory": "0.5Gi"}}
    container = {"name": "main", "image": image, "resources": limits, "args": ["nothing"]}
    return {"metadata": {"labels": labels}, "spec": {"containers": [container], **more}}


def stages(owner: Custom, token: Callable[[], str]) -> list[Stage]:
    """A toy's life, in order."""
    name, spec = owner.metadata.name, msgspec.json.decode(owner.spec)
    size = spec["size"]
    label = {"size": str(size), **({"note": spec["note"]} if "note" in spec else {})}
    selector = {INSTANCE: name, "part": "shelf"}
    ours = {MANAGED_BY: "frappe-operator"}
    shelf = {
        "replicas": size,
        "selector": {"matchLabels": selector},
        "template": _pod({**selector, **ours}, f"shelf:{size}"),
    }
    once = {"template": _pod(ours, "sew:1", restartPolicy="OnFailure"), "backoffLimit": 9}
    return [
        Stage("Named", [_child(CONFIG_MAP, owner, "label", data=label)], exist),
        Stage("Locked", [], exist, once=[_child(SECRET, owner, "key", stringData={"key": token()})]),
        Stage("Sewn", [], jobs_succeeded({}), once=[_child(JOB, owner, "sew", spec=once)]),
        Stage("Shelved", [_child(DEPLOYMENT, owner, "shelf", spec=shelf)], workloads_available),
    ]


def toys(world: World) -> Sequence[Controller]:
    """The controller of Toys."""

    async def reconcile(cluster: Cluster, key: Key) -> float | None:
        live = cluster.get(TOY, key.namespace, key.name)
        if not isinstance(live, Custom):
            return None
        if live.deleting:
            await remove_finalizer(cluster, TOY, live, FINALIZER)
            return None
        await ensure_finalizer(cluster, TOY, live, FINALIZER)
        done = await apply(cluster, TOY, live, stages(live, world.token), prune=(CONFIG_MAP, DEPLOYMENT))
        await report(cluster, TOY, live, done.verdicts, {})
        return None

    watches: list[Watch[Any]] = [
        Watch(CONFIG_MAP, owned_by(TOY), labels=OPERATOR_SELECTOR, metadata_only=True),
        Watch(SECRET, owned_by(TOY), labels=OPERATOR_SELECTOR, metadata_only=True),
        Watch(JOB, owned_by(TOY), labels=OPERATOR_SELECTOR),
        Watch(DEPLOYMENT, owned_by(TOY), labels=OPERATOR_SELECTOR),
    ]
    return [Controller(TOY, reconcile, watches)]


def a_world(*objects: Manifest, **more: Any) -> World:
    """A world in which toys are kept."""
    world = World(*(objects or (a_toy(),)), controllers=toys, more_kinds=[TOY], **more)
    world.kubelet.program = succeeds
    return world
