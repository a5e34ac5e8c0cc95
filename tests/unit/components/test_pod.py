"""Properties of every pod template."""

from frappe_operator.components.pod import affinity
from frappe_operator.components.storage import common_node, files_node
from tests.unit.resolved_samples import a_bench, a_site


def test_a_pod_that_mounts_two_volumes_runs_where_both_are() -> None:
    """Each volume can be mounted on one node only, so the pod has both affinity terms, in either order."""
    of_bench, of_site = common_node(a_bench()), files_node(a_site())
    required = affinity(*of_bench, *of_site)["affinity"]["podAffinity"][
        "requiredDuringSchedulingIgnoredDuringExecution"
    ]
    assert required == [*of_bench, *of_site]
    assert [each["labelSelector"]["matchLabels"] for each in required] == [
        {"vyogo.tech/bench": "pier", "vyogo.tech/common-storage": "mounted"},
        {"vyogo.tech/site": "pearl"},
    ]


def test_a_pod_may_run_anywhere_without_terms() -> None:
    assert affinity() == {}
    everywhere = {"accessMode": "ReadWriteMany"}
    assert affinity(*common_node(a_bench(storage=everywhere)), *files_node(a_site(storage=everywhere))) == {}
