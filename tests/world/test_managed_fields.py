"""The fake API server reads managers and their fields back from `metadata.managedFields`."""

from fakecluster.apiserver.managed_fields import parsed
from fakecluster.apiserver.store import SerializedRecord
from fakecluster.samples import a_world
from fakecluster.world import settle


class Text(SerializedRecord):
    """An object of which only the JSON was kept."""

    def __init__(self, wire: bytes) -> None:
        self._wire = wire

    @property
    def wire(self) -> bytes:
        return self._wire


def test_what_managed_fields_say_is_what_the_store_keeps() -> None:
    world = a_world()
    settle(world)
    records = [world.api.get(ref) for ref in world.api.store.refs()]
    owned = [each for each in records if each.managers]
    assert len(owned) > 30
    for each in owned:
        assert parsed(each.obj["metadata"]["managedFields"]) == each.managers


def test_an_object_of_which_only_the_json_was_kept_is_the_same_object() -> None:
    world = a_world()
    settle(world)
    for ref in world.api.store.refs():
        record = world.api.get(ref)
        text = Text(record.wire)
        assert (text.obj, text.managers) == (record.obj, record.managers)
        assert (text.labels, text.metadata_wire) == (record.labels, record.metadata_wire)
