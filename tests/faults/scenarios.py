"""What people do to a bench and its site, step by step. Between any two steps everything comes to rest."""

from collections.abc import Callable
from typing import Any, NamedTuple

from frappe_operator.api import crd
from frappe_operator.kube.kinds import BENCH, SECRET, SITE, Manifest
from tests.world.harness import World
from tests.world.objects import a_bench, a_site

REST_SECONDS = 60.0
"""Longer than a silent watch goes unnoticed, twice over."""
LIMIT_SECONDS = 7200.0

CONNECTION: Manifest = {
    "apiVersion": SECRET.api_version,
    "kind": "Secret",
    "metadata": {"name": "ledger"},
    "stringData": {
        "host": "db.example.com",
        "port": "3306",
        "database": "ledger",
        "username": "ledger",
        "password": "external-canary",
    },
}
EXTERNAL = {"mode": "external", "connectionSecretRef": {"name": "ledger"}}

Step = Callable[[World], None]
"""One thing that somebody does, or several at once."""


def create(world: World) -> None:
    """A bench and a site, with their database in the bench's own server."""
    world.add(a_bench(), a_site())


def create_external(world: World) -> None:
    """The same, with a database of the user's own."""
    world.add(CONNECTION, a_bench(), a_site(dbConfig=EXTERNAL))


def create_site(world: World) -> None:
    world.add(a_site())


def scale(world: World) -> None:
    world.edit(SITE, "acme", {"spec": {"componentReplicas": {"gunicorn": 2}}})


def move(world: World) -> None:
    world.edit(SITE, "acme", {"spec": {"domain": "shop.example.com"}})


def change_image(world: World) -> None:
    world.edit(BENCH, "forge", {"spec": {"imageConfig": {"repository": "example.com/erp", "tag": "v15.60.0"}}})


def delete_site(world: World) -> None:
    """Its data stays."""
    world.delete(SITE, "acme")


def drop_site(world: World) -> None:
    """Its data goes with it."""
    world.edit(SITE, "acme", {"spec": {"deletionPolicy": "Delete"}})
    world.delete(SITE, "acme")


def delete_bench(world: World) -> None:
    world.delete(BENCH, "forge")


def delete_both(world: World) -> None:
    world.delete(SITE, "acme")
    world.delete(BENCH, "forge")


class Scenario(NamedTuple):
    """A sequence of steps."""

    steps: tuple[Step, ...]
    whole: bool = True
    """Every write of its last steps is hit. If not, only what lies between the steps is tried."""

    @property
    def prelude(self) -> int:
        """How many of its steps lead to where it begins; their writes are another scenario's business."""
        return min(len(self.steps) - 1, 1)


WHOLE = {
    "created": (create,),
    "external": (create_external,),
    "scaled": (create, scale),
    "image changed": (create, change_image),
    "domain changed": (create, move),
    "retained": (create, delete_site),
    "deleted": (create, drop_site),
    "external deleted": (create_external, drop_site),
    "created again": (create, delete_site, create_site),
    "bench deleted": (create, delete_bench, delete_site),
    "both again": (create, delete_both, create),
}
CHANGES = {"scaled": scale, "image changed": change_image, "domain changed": move}
ENDS = {"retained": delete_site, "deleted": drop_site, "both deleted": delete_both}

SCENARIOS: dict[str, Scenario] = {
    **{name: Scenario(steps) for name, steps in WHOLE.items()},
    **{
        f"{first}, {second}": Scenario((create, CHANGES[first], {**CHANGES, **ENDS}[second]), whole=False)
        for first in CHANGES
        for second in {**CHANGES, **ENDS}
        if first != second
    },
}


def play(scenario: Scenario, world: World, since: int = 0, until: int | None = None) -> None:
    """Do one step after the other. Raises NotSettled when the world does not come to rest."""
    for number, step in list(enumerate(scenario.steps))[since:until]:
        begin(world, number)
        step(world)
        hurry = world.faults.of_step(number + 1, "hurry")
        if hurry:
            world.faults.happened.append(f"step {number + 1} begins early")
            world.run(hurry[0].seconds)
        else:
            rest(world)


def begin(world: World, number: int) -> None:
    """What goes wrong as a step begins."""
    for fault in world.faults.of_step(number, "restart", "twin"):
        world.faults.happened.append(f"{fault.what} as step {number} begins")
        if fault.what == "twin":
            world.twin(fault.seconds)
        else:
            world.faults.travel = fault.back, fault.seconds
            world.crash()


def rest(world: World) -> None:
    """Until nothing happens any more, and the operator waits for nothing."""
    limit = world.loop.time() + LIMIT_SECONDS
    world.settle(REST_SECONDS)
    while not world.idle and world.loop.time() < limit:
        world.run(5.0)
        world.settle(REST_SECONDS)


def empty_world(**more: Any) -> World:
    """Where every scenario begins: the operator runs, and has nothing to do."""
    return World(crds=crd.definitions(), **more)
