"""What a new kind needs, shown with a small one: a FrappeNotice has one child, a ConfigMap with its text.

docs/decisions/23-adding-a-kind.md lists the files that a real one touches.
"""

from collections.abc import Sequence
from typing import Any

import msgspec

from fakecluster.world import World, settle
from frappe_operator.cli import rbac
from frappe_operator.components.children import CHILDREN
from frappe_operator.components.metadata import metadata
from frappe_operator.kube.children import pruned
from frappe_operator.kube.kinds import CONFIG_MAP, KindOf, Ref
from frappe_operator.kube.live import Custom
from frappe_operator.kube.names import GROUP
from frappe_operator.kube.objects import Key, Manifest
from frappe_operator.kube.readiness import exist
from frappe_operator.kube.stage import Stage
from frappe_operator.model.owner import Owner
from frappe_operator.registry import OwnKind
from frappe_operator.runtime.apply.children import apply
from frappe_operator.runtime.cluster import Cluster
from frappe_operator.runtime.controller import Controller, owned_by, watch_children
from frappe_operator.runtime.status.report import report


class LiveNotice(Custom):
    """A cached FrappeNotice."""

    def decode(self) -> dict[str, str]:
        return msgspec.json.decode(self.spec, type=dict[str, str])


NOTICE = KindOf(GROUP, "v1alpha1", "FrappeNotice", "frappenotices", LiveNotice)


def stages(live: LiveNotice) -> list[Stage]:
    """The one stage of a notice; without a text it has no child."""
    owner, text = Owner.of(NOTICE, live), live.decode().get("text")
    child = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": metadata(owner, f"{owner.name}-text", "notice"),
        "data": {"text": text},
    }
    return [Stage("Published", [child] if text else [], exist)]


async def reconcile(cluster: Cluster, key: Key) -> float | None:
    live = cluster.get(NOTICE, key.namespace, key.name)
    if live is None or live.deleting:
        return None
    done = await apply(cluster, NOTICE, live, stages(live), prune=pruned(CHILDREN))
    await report(cluster, NOTICE, live, done.verdicts, {})
    return None


async def decide(*_: Any) -> Any:
    raise NotImplementedError


CONTROLLER = Controller(NOTICE, reconcile, watch_children(CHILDREN, owned_by(NOTICE)), {NOTICE: "get patch"})
ROW = OwnKind(NOTICE, lambda _: CONTROLLER, decide)


def controllers(world: World) -> Sequence[Controller]:
    return [CONTROLLER]


def notice(**spec: Any) -> Manifest:
    return {"apiVersion": NOTICE.api_version, "kind": NOTICE.kind, "metadata": {"name": "closing"}, "spec": spec}


def published(world: World) -> object:
    return (world.get(CONFIG_MAP, "closing-text") or {}).get("data")


def test_a_new_kind_is_watched_kept_correct_and_pruned() -> None:
    world = World(notice(text="Closed on Monday."), controllers=controllers, more_kinds=[NOTICE])
    settle(world)
    assert published(world) == {"text": "Closed on Monday."}
    assert world.condition("Published", "closing", NOTICE).ok
    world.assert_no_writes(600)
    # A site of the same name is another object.
    labels = world.get_existing(Ref(CONFIG_MAP, "default", "closing-text"))["metadata"]["labels"]
    assert labels["vyogo.tech/notice"] == "closing"
    assert "vyogo.tech/site" not in labels
    world.delete(CONFIG_MAP, "closing-text")
    settle(world)
    assert published(world) == {"text": "Closed on Monday."}
    world.edit(NOTICE, "closing", {"spec": {"text": None}})
    settle(world)
    assert world.children("closing") == []


def test_the_rights_of_a_new_kind_follow_from_its_row() -> None:
    rights = rbac.needed([ROW.controller(None)])  # type: ignore[arg-type]
    assert rights[NOTICE, ""] == {"get", "list", "watch", "patch"}
    assert rights[NOTICE, "status"] == {"patch"}
    assert rights[NOTICE, "finalizers"] == {"update"}
    assert rights[CONFIG_MAP, ""] == {"get", "list", "watch", "create", "patch", "delete"}
