"""The difference of two renderings: whatever is changed in one of them changes the difference."""

import random

import pytest

from tests.golden.cases import BASE, OTHERS, rendered
from tests.golden.difference import difference

BASE_CHILDREN = """---
# FrappeBench pier · CacheReady
kind: Service
metadata:
  name: pier-redis
  labels:
    vyogo.tech/component: redis
spec:
  ports:
    - name: redis
      port: 1
---
# FrappeBench pier · ProxyReady
kind: Service
metadata:
  name: pier-nginx
  labels:
    vyogo.tech/component: nginx
spec:
  selector: pier-redis
"""


def test_equal_renderings_have_no_difference() -> None:
    assert difference(BASE_CHILDREN, BASE_CHILDREN) == "======== FrappeBench pier: 2 children\n"


def test_a_changed_field_is_shown_with_its_path() -> None:
    assert difference(BASE_CHILDREN, BASE_CHILDREN.replace("port: 1", "port: 2")).splitlines()[1:] == [
        "-------- Service pier-redis",
        "@@ -9,2 +9,2 @@ spec.ports",
        "     - name: redis",
        "-      port: 1",
        "+      port: 2",
    ]


def test_another_name_is_shown_once() -> None:
    assert difference(BASE_CHILDREN, BASE_CHILDREN.replace("pier", "quay")).splitlines()[1:] == [
        "renamed: pier -> quay",
        "renamed: pier-redis -> quay-redis",
        "renamed: pier-nginx -> quay-nginx",
    ]


def test_a_name_that_only_one_of_its_users_has_changed_is_a_difference() -> None:
    assert "-  selector: pier-redis" in difference(
        BASE_CHILDREN, BASE_CHILDREN.replace("selector: pier", "selector: a")
    )


def test_a_missing_child_is_named_and_a_new_one_printed_in_full() -> None:
    changed = difference(BASE_CHILDREN, BASE_CHILDREN.replace("component: nginx", "component: proxy"))
    assert "missing: Service pier-nginx\n" in changed
    assert "-------- Service pier-nginx, which the base lacks\n+# FrappeBench pier · ProxyReady\n" in changed


def test_another_order_is_a_difference() -> None:
    first, second = BASE_CHILDREN.split("---\n")[1:]
    changed = difference(BASE_CHILDREN, f"---\n{second}---\n{first}")
    assert "in this order: Service pier-nginx\nin this order: Service pier-redis\n" in changed


@pytest.mark.parametrize("case", OTHERS)
def test_any_changed_line_of_a_case_changes_the_difference(case: str) -> None:
    base, before = rendered(BASE), rendered(case)
    expected, lines = difference(base, before), before.splitlines(keepends=True)
    body = [number for number, line in enumerate(lines) if not line.startswith(("---", "#"))]
    for number in random.Random(case).sample(body, 10):
        changed = "".join([*lines[:number], lines[number].replace("\n", "x\n"), *lines[number + 1 :]])
        assert difference(base, changed) != expected, lines[number]
