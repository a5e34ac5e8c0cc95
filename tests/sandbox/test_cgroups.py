"""The control groups of a cluster's pods, where the machine has one hierarchy for all controllers."""

import os
from pathlib import Path

import pytest

from sandbox.cgroups import ControlGroup

pytestmark = pytest.mark.node

# On a machine of version 1, the one hierarchy that is of version 2 is here, with the controllers nobody else took.
PLACES = [Path("/sys/fs/cgroup/unified"), Path("/sys/fs/cgroup")]


@pytest.fixture
def top() -> Path:
    if os.geteuid():
        pytest.skip("control groups are made by root")
    for place in PLACES:
        if (place / "cgroup.controllers").exists():
            return place
    pytest.skip("this machine has no control groups of version 2")


def test_what_a_kubelet_needs_is_handed_on_and_the_group_goes_with_all_below_it(top: Path):
    group = ControlGroup(f"frappe-test-{os.getpid()}", top)
    folder = top / f"frappe-test-{os.getpid()}"
    group.make()
    needed = {"cpu", "cpuset", "hugetlb", "memory", "pids"} & set((top / "cgroup.controllers").read_text().split())
    assert needed <= set((folder / "cgroup.controllers").read_text().split())
    (folder / "kubepods" / "pod").mkdir(parents=True)
    group.make()
    group.remove()
    assert not folder.exists()
    group.remove()
