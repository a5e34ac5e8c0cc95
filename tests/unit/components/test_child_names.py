"""No two of our objects have a child of the same kind and name: neither two of one kind, nor a bench and a site."""

import re
from collections import defaultdict

import pytest

from frappe_operator.api.kinds import BENCH, SITE
from frappe_operator.api.labels import BENCH_LABEL, COMPONENT_LABEL, SITE_LABEL
from tests.unit.components.conftest import WORLDS

HASH = re.compile(r"(?<=-)[0-9a-f]{8,}$")


def parts() -> dict[str, dict[str, set[str]]]:
    """Suffixes of children's names after the name of their owner, by kind of child and kind of owner.

    Empty for a child that has the name of its owner. All fingerprints in names count as the same.
    """
    found: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for world in WORLDS:
        if world.name == "long-names":
            continue
        for each in world.manifests:
            labels, name = each["metadata"]["labels"], each["metadata"]["name"]
            kind, owner = (SITE, labels[SITE_LABEL]) if SITE_LABEL in labels else (BENCH, labels[BENCH_LABEL])
            part = name.removeprefix(owner)
            assert part != name or name == owner, f"{each['kind']} {name} does not begin with its owner's name"
            found[each["kind"]][kind.kind].add(HASH.sub("#", part.removeprefix("-")))
    return found


PARTS = parts()


def test_every_kind_of_child_is_among_them() -> None:
    assert PARTS["ConfigMap"] == {"FrappeBench": {"apps", "image", "nginx", "runner"}, "FrappeSite": {"front-door"}}
    assert {"create", "apps-#", "drop"} <= PARTS["Job"]["FrappeSite"]


@pytest.mark.parametrize("kind", sorted(PARTS))
def test_a_bench_and_a_site_of_one_name_want_no_child_of_one_name(kind: str) -> None:
    assert PARTS[kind]["FrappeBench"] & PARTS[kind]["FrappeSite"] == set()


@pytest.mark.parametrize("kind", sorted(PARTS))
def test_an_owner_whose_name_begins_with_anothers_wants_no_child_of_the_others(kind: str) -> None:
    """With `drop-database` and `database` as suffixes of one kind, the first of `shop` equals the second of
    `shop-drop`."""
    every = set().union(*PARTS[kind].values())
    assert [(one, other) for one in every for other in every if one != other and one.endswith(f"-{other}")] == []


def test_a_bench_selects_no_pod_of_a_site() -> None:
    """Pods of a site have the label of their bench, so only the component distinguishes them from the bench's own
    pods."""
    components: dict[bool, set[str]] = defaultdict(set)
    for world in WORLDS:
        for _, template in world.workloads():
            labels = template["metadata"]["labels"]
            components[SITE_LABEL in labels].add(labels[COMPONENT_LABEL])
    assert components[True] & components[False] == set()
