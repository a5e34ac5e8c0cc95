"""Memory and resources of Redis."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from frappe_operator.api.kinds import BENCH
from frappe_operator.model.bench import parse
from frappe_operator.model.redis_sizing import memory_problem, redis_memory
from tests.unit.resolved_samples import a_bench, live


@pytest.mark.parametrize(
    ("text", "size"),
    [("256Mi", 256 * 1024**2), ("4gb", 4 * 1024**3), ("4g", 4 * 1000**3), ("1G", 1000**3), ("512mb", 512 * 1024**2)],
)
def test_memory_may_be_spelled_as_kubernetes_or_as_redis_does(text: str, size: int) -> None:
    assert redis_memory(text) == str(size)


@given(st.from_regex(r"[1-9][0-9]{0,9}[kKmMgG]i?[bB]?", fullmatch=True))
def test_every_memory_the_schema_takes_is_a_number_of_bytes(text: str) -> None:
    assert int(redis_memory(text)) >= 1


def test_redis_gets_room_for_its_memory_unless_a_limit_is_given() -> None:
    assert a_bench().redis.resources["limits"] == {"memory": "512Mi"}
    large = a_bench(redisConfig={"maxMemory": "4gb"}).redis
    assert int(large.resources["limits"]["memory"]) > int(large.max_memory)
    given = a_bench(redisConfig={"maxMemory": "4gb"}, componentResources={"redis": {"limits": {"memory": "9Gi"}}})
    assert given.redis.resources["limits"] == {"memory": "9Gi"}


def test_redis_makes_room_before_it_is_killed() -> None:
    small = a_bench(componentResources={"redis": {"limits": {"memory": "128Mi"}}}).redis
    assert small.max_memory == str(96 * 1024**2), "what is ours gives way to the limit"
    assert small.resources["requests"]["memory"] == "64Mi"
    for memory, fine in {"1gb": False, "1000Mi": False, "1g": False, "900mb": True, "900m": True, "512": False}.items():
        spec: Any = {
            "redisConfig": {"maxMemory": memory},
            "componentResources": {"redis": {"limits": {"memory": "1Gi"}}},
        }
        bench = live("pier", {"frappeVersion": "v15", **spec}, kind=BENCH)
        assert (memory_problem(parse(bench)) == "") is fine, memory
        assert a_bench(**spec).redis.max_memory == redis_memory(memory), "what exists stays as it is"
