"""Label and field selectors, as they stand in a query."""

import re
from collections.abc import Callable, Mapping
from typing import Any

Test = Callable[[Mapping[str, str]], bool]

PART = re.compile(
    r"\s*(?:(?P<no>!)?\s*(?P<key>[\w./-]+)\s*"
    r"(?:(?P<op>==|=|!=)\s*(?P<value>[\w.-]*)|(?P<set>notin|in)\s*\((?P<values>[^)]*)\))?)\s*(?:,|$)"
)


def labels(text: str) -> Test:
    """A test of labels: `a=b`, `a!=b`, `a in (b,c)`, `a notin (b)`, `a`, `!a`, joined by commas. Raises ValueError."""
    tests: list[Test] = []
    end = 0
    while end < len(text):
        part = PART.match(text, end)
        if part is None:
            raise ValueError(f"unable to parse requirement: {text[end:]!r}")
        tests.append(_requirement(part))
        end = part.end()
    return lambda having: all(test(having) for test in tests)


def _requirement(part: re.Match[str]) -> Test:
    key = part["key"]
    if part["op"] in {"=", "=="}:
        return lambda having: having.get(key) == part["value"]
    if part["op"] == "!=":
        return lambda having: having.get(key) != part["value"]
    if part["set"]:
        values = {value.strip() for value in part["values"].split(",")}
        if part["set"] == "in":
            return lambda having: having.get(key) in values
        return lambda having: having.get(key) not in values
    if part["no"]:
        return lambda having: key not in having
    return lambda having: key in having


def fields(text: str) -> Callable[[Mapping[str, Any]], bool]:
    """A test of an object by the values at paths: `metadata.name=x,status.phase!=Running`."""
    wanted: list[tuple[list[str], bool, str]] = []
    for part in filter(None, text.split(",")):
        path, sign, value = re.split(r"(!=|==|=)", part, maxsplit=1)
        wanted.append((path.split("."), sign != "!=", value))

    def test(obj: Mapping[str, Any]) -> bool:
        for path, equal, value in wanted:
            here: Any = obj
            for name in path:
                here = here.get(name, "") if isinstance(here, Mapping) else ""
            if (str(here) == value) != equal:
                return False
        return True

    return test
