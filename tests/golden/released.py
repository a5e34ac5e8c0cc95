"""The pod templates that the released operator has rendered for each case.

A pod template that changes restarts pods. A new version of the operator restarts none: what it renders for the same
objects equals what the version before has rendered. That is kept here as fingerprints, which are not written anew with
the expected files.
"""

import json
from collections.abc import Mapping
from pathlib import Path

from frappe_operator.kube.names import digest
from tests.golden.cases import CASES, children

RELEASED = Path(__file__).with_name("released.json")


def fingerprints() -> dict[str, dict[str, str]]:
    """By case and workload: the fingerprint of its pod template."""
    return {case: _of_case(case) for case in CASES}


def released() -> Mapping[str, Mapping[str, str]]:
    """The same of the released operator. A case that it did not have is absent."""
    found: Mapping[str, Mapping[str, str]] = json.loads(RELEASED.read_text(encoding="utf-8"))
    return found


def write() -> None:
    """Makes what is rendered now the released templates."""
    RELEASED.write_text(json.dumps(fingerprints(), indent=1, sort_keys=True) + "\n", encoding="utf-8")


def _of_case(case: str) -> dict[str, str]:
    return {
        f"{each['kind']} {each['metadata']['name']}": digest(
            json.dumps(each["spec"]["template"], sort_keys=True, ensure_ascii=False), 16
        )
        for each in children(case)
        if each["kind"] in ("Deployment", "StatefulSet")
    }
