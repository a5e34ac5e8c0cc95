"""What users do to a bench and its site, step by step. The cluster settles between any two steps."""

from typing import Any, NamedTuple

from fakecluster.controllers.front_door import RULES
from fakecluster.frappe import BROKEN
from fakecluster.samples import CONNECTION, DEDICATED, EXTERNAL, a_bench, a_site
from fakecluster.world import World
from frappe_operator.api import crd
from frappe_operator.api.kinds import BENCH, SITE
from frappe_operator.api.labels import CONFIRM_ANNOTATION
from frappe_operator.kube import kinds
from frappe_operator.kube.kinds import Kind
from frappe_operator.kube.objects import Manifest

REST_SECONDS = 60.0
"""More than twice the time after which a silent watch is detected."""
LIMIT_SECONDS = 7200.0


class Add(NamedTuple):
    """A user creates an object."""

    obj: Manifest


class Edit(NamedTuple):
    """A user changes an object with a merge patch."""

    kind: Kind
    name: str
    spec: Manifest
    annotations: Manifest | None = None

    @property
    def patch(self) -> Manifest:
        return {"spec": self.spec, **({"metadata": {"annotations": self.annotations}} if self.annotations else {})}


class Delete(NamedTuple):
    """A user deletes an object."""

    kind: Kind
    name: str


Step = tuple[Add | Edit | Delete, ...]
"""What a user does at the same time."""

CREATE: Step = (Add(a_bench()), Add(a_site()))
CREATE_EXTERNAL: Step = (Add(CONNECTION), Add(a_bench()), Add(a_site(dbConfig=EXTERNAL)))
CREATE_DEDICATED_SITE: Step = (Add(a_site(dbConfig=DEDICATED)),)
CREATE_DEDICATED: Step = (Add(a_bench()), *CREATE_DEDICATED_SITE)
RESIZE: Step = (Edit(SITE, "acme", {"dbConfig": {"storageSize": "20Gi", "resources": {"limits": {"memory": "4Gi"}}}}),)
CREATE_SITE: Step = (Add(a_site()),)
SCALE: Step = (Edit(SITE, "acme", {"componentReplicas": {"gunicorn": 2}}),)
AUTOSCALE: Step = (Edit(SITE, "acme", {"componentHPA": {"gunicorn": {"enabled": True, "minReplicas": 2}}}),)
BY_SPEC: Step = (Edit(SITE, "acme", {"componentHPA": None, "componentReplicas": {"gunicorn": 3}}),)
GATEWAY: Manifest = {
    "apiVersion": kinds.GATEWAY.api_version,
    "kind": "Gateway",
    "metadata": {"name": "public", "namespace": "gateways"},
    "spec": {
        "listeners": [{"name": "http", "port": 80, "protocol": "HTTP"}],
        "allowedListeners": {"namespaces": {"from": "All"}},
    },
}
CREATE_BESIDE_GATEWAY: Step = (Add(GATEWAY), *CREATE)
BEHIND_GATEWAY: Step = (
    Edit(
        SITE,
        "acme",
        {
            "ingress": {"type": "Gateway", "gatewayRef": {"name": "public", "namespace": "gateways"}},
            "tls": {"clusterIssuer": "letsencrypt"},
        },
    ),
)
MOVE: Step = (Edit(SITE, "acme", {"domain": "shop.example.com"}),)
CHANGE_IMAGE: Step = (Edit(BENCH, "forge", {"imageConfig": {"repository": "example.com/erp", "tag": "v15.60.0"}}),)
BREAK_MIGRATION: Step = (
    Edit(BENCH, "forge", {"imageConfig": {"repository": "example.com/erp", "tag": f"v15.61.0-{BROKEN}"}}),
)
"""An image whose migration fails on every site."""
REMOVE_APP: Step = (Edit(SITE, "acme", {"apps": []}, {CONFIRM_ANNOTATION: "erpnext"}),)
DELETE_SITE: Step = (Delete(SITE, "acme"),)
DROP_SITE: Step = (Edit(SITE, "acme", {"deletionPolicy": "Delete"}), Delete(SITE, "acme"))
DELETE_BENCH: Step = (Delete(BENCH, "forge"),)
DELETE_BOTH: Step = (*DELETE_SITE, *DELETE_BENCH)


class Scenario(NamedTuple):
    """A sequence of steps."""

    steps: tuple[Step, ...]
    whole: bool = True
    """Every write of its last steps is hit. If not, only what lies between the steps is tried."""
    front_door: bool = False
    """Whether the cluster has cert-manager and the Gateway API, with controllers. In memory only."""

    @property
    def prelude(self) -> int:
        """How many steps lead to the initial state; their writes are hit in another scenario."""
        return min(len(self.steps) - 1, 1)


WHOLE = {
    "created": (CREATE,),
    "external": (CREATE_EXTERNAL,),
    "scaled": (CREATE, SCALE),
    "autoscaled": (CREATE, AUTOSCALE, BY_SPEC),
    "image changed": (CREATE, CHANGE_IMAGE),
    "upgrade fails": (CREATE, BREAK_MIGRATION),
    "app removed": (CREATE, REMOVE_APP),
    "domain changed": (CREATE, MOVE),
    "retained": (CREATE, DELETE_SITE),
    "deleted": (CREATE, DROP_SITE),
    "external deleted": (CREATE_EXTERNAL, DROP_SITE),
    "dedicated resized": (CREATE_DEDICATED, RESIZE),
    "dedicated deleted": (CREATE_DEDICATED, DROP_SITE),
    "dedicated again": (CREATE_DEDICATED, DELETE_SITE, CREATE_DEDICATED_SITE),
    "created again": (CREATE, DELETE_SITE, CREATE_SITE),
    "bench deleted": (CREATE, DELETE_BENCH, DELETE_SITE),
    "both again": (CREATE, DELETE_BOTH, CREATE),
}
CHANGES = {"scaled": SCALE, "image changed": CHANGE_IMAGE, "domain changed": MOVE}
ENDS = {"retained": DELETE_SITE, "deleted": DROP_SITE, "both deleted": DELETE_BOTH}

SCENARIOS: dict[str, Scenario] = {
    **{name: Scenario(steps) for name, steps in WHOLE.items()},
    **{
        f"{first}, {second}": Scenario((CREATE, CHANGES[first], {**CHANGES, **ENDS}[second]), whole=False)
        for first in CHANGES
        for second in {**CHANGES, **ENDS}
        if first != second
    },
    "behind a gateway": Scenario((CREATE_BESIDE_GATEWAY, BEHIND_GATEWAY), front_door=True),
}
REAL = [name for name, scenario in SCENARIOS.items() if not scenario.front_door]
"""The scenarios that can be played on a real cluster."""


def run_plan(scenario: Scenario, world: World, since: int = 0, until: int | None = None) -> None:
    """Applies one step after the other. Raises NotSettled when the world does not settle."""
    for number, step in list(enumerate(scenario.steps))[since:until]:
        begin(world, number)
        do(world, step)
        hurry = world.faults.of_step(number + 1, "hurry")
        if hurry:
            world.faults.happened.append(f"step {number + 1} begins early")
            world.run(hurry[0].seconds)
        else:
            rest(world)


def do(world: World, step: Step) -> None:
    """Applies one step."""
    for each in step:
        match each:
            case Add(obj):
                world.add(obj)
            case Edit(kind, name):
                world.edit(kind, name, each.patch)
            case Delete(kind, name):
                world.delete(kind, name)


def begin(world: World, number: int) -> None:
    """Lets the faults happen that are planned for the beginning of a step."""
    for fault in world.faults.of_step(number, "restart", "twin"):
        world.faults.happened.append(f"{fault.what} as step {number} begins")
        if fault.what == "twin":
            world.twin(fault.seconds)
        else:
            world.faults.stale_start = fault.back, fault.seconds
            world.crash()


def rest(world: World) -> None:
    """Waits until the world has settled and no key is queued."""
    limit = world.loop.time() + LIMIT_SECONDS
    world.settle(REST_SECONDS)
    while not world.idle and world.loop.time() < limit:
        world.run(5.0)
        world.settle(REST_SECONDS)


def empty_world(*, front_door: bool = False, **more: Any) -> World:
    """The initial state of every scenario: the operator runs, and no bench or site exists."""
    if front_door:
        return World(crds=crd.definitions(), more_kinds=kinds.ADDED, more_rules=RULES, **more)
    return World(crds=crd.definitions(), **more)
