"""Controllers share what is cached of a kind."""

from collections.abc import Sequence
from typing import Any

import pytest

from frappe_operator.kube.kinds import JOB, KindOf
from frappe_operator.kube.live import Custom
from frappe_operator.kube.names import OPERATOR_SELECTOR
from frappe_operator.kube.objects import Key
from frappe_operator.runtime.cluster import Cluster
from frappe_operator.runtime.controller import Controller, Watch, cached_kinds, owned_by
from tests.runtime.environment import TOY

OTHER = KindOf("toys.example.com", "v1", "OtherToy", "othertoys", Custom)


async def nothing(cluster: Cluster, key: Key) -> float | None:
    return None


def nobody(cluster: Cluster, live: Any) -> Sequence[Key]:
    return ()


def test_controllers_share_the_cache_of_a_kind() -> None:
    one = Controller(TOY, nothing, [Watch(JOB, owned_by(TOY), OPERATOR_SELECTOR, indices={"a": lambda live: ["x"]})])
    other = Controller(OTHER, nothing, [Watch(JOB, nobody, OPERATOR_SELECTOR, indices={"b": lambda live: ["y"]})])
    shared = cached_kinds([one, other])
    assert [each.kind for each in shared] == [TOY, OTHER, JOB]
    assert set(shared[-1].indices) == {"a", "b"}


@pytest.mark.parametrize(
    "other",
    [
        Watch(JOB, nobody, OPERATOR_SELECTOR, fields="metadata.name=x"),
        Watch(JOB, nobody),
        Watch(JOB, nobody, OPERATOR_SELECTOR, metadata_only=True),
        Watch(JOB, nobody, OPERATOR_SELECTOR, indices={"a": lambda live: []}),
    ],
)
def test_watches_of_a_kind_that_cache_different_things_are_an_error(other: Watch[Any]) -> None:
    one = Controller(TOY, nothing, [Watch(JOB, nobody, OPERATOR_SELECTOR, indices={"a": lambda live: ["x"]})])
    with pytest.raises(ValueError, match="Job"):
        cached_kinds([one, Controller(OTHER, nothing, [other])])
