"""What tests read of a bench and its sites in a `World`, and how they break pods."""

from collections.abc import Awaitable

from fakecluster.world import ControllersOf, World, operator_controllers
from frappe_operator.kube.kinds import DEPLOYMENT, PVC, SECRET, SERVICE, Ref
from frappe_operator.kube.objects import Key, Manifest
from frappe_operator.runtime.cluster import Cluster
from frappe_operator.runtime.controller import Controller, Reconcile

DATA = (PVC, SECRET)
"""Kinds of children that hold what cannot be made again."""


def recording_reconciles(reconciled: list[Key]) -> ControllersOf:
    """The operator's controllers, whose reconciles are recorded."""

    def controllers(world: World) -> list[Controller]:
        return [each._replace(reconcile=noted(each.reconcile)) for each in operator_controllers(world)]

    def noted(reconcile: Reconcile) -> Reconcile:
        def look(cluster: Cluster, key: Key) -> Awaitable[float | None]:
            reconciled.append(key)
            return reconcile(cluster, key)

        return look

    return controllers


def breaks(world: World, *pods: str) -> None:
    """From now on the pods of these names cannot run, and all others can."""
    world.kubelet.broken = set(pods)
    world.changed()


def fetched(world: World, host: str) -> int:
    """The status with which the bench's proxy answers a ping for a host."""
    service = world.get_existing(Ref(SERVICE, "default", "forge-nginx"))
    url = f"http://{service['spec']['clusterIP']}:8080/api/method/ping"
    return int(world.loop.drive(world.frappe.fetch(url, host)).status)


def configured(world: World) -> Manifest:
    """What Frappe reads of the site acme's configuration."""
    (found,) = [disk["sites"] for disk in world.frappe.disks.values() if "acme.example.com" in disk.get("sites", {})]
    configuration: Manifest = found["acme.example.com"]
    return configuration


def revisions(world: World) -> dict[str, int]:
    """How often the template of each Deployment has changed."""
    return {each["metadata"]["name"]: each["metadata"]["generation"] for each in world.all(DEPLOYMENT)}
