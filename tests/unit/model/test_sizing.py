"""Replicas and resources of the components."""

from hypothesis import given
from hypothesis import strategies as st

from frappe_operator.api.types import Resources
from frappe_operator.kube.quantities import amount
from frappe_operator.model.sizing import DEFAULTS, resources, resources_problem

AMOUNTS = st.dictionaries(
    st.sampled_from(["cpu", "memory"]),
    st.from_regex(r"[0-9]{1,4}(\.[0-9]{1,2})?(m|[kMGTP]|[KMGTP]i)?", fullmatch=True) | st.integers(0, 99),
)
RESOURCES = st.none() | st.builds(Resources, requests=st.none() | AMOUNTS, limits=st.none() | AMOUNTS)


def test_each_part_comes_from_the_first_that_names_it() -> None:
    site, bench = Resources(requests={"cpu": 1}), Resources(requests={"cpu": "9"}, limits={"memory": "7Gi"})
    assert resources("gunicorn", site, None, bench) == {"requests": {"cpu": "1"}, "limits": {"memory": "7Gi"}}
    assert resources("gunicorn", None) == DEFAULTS["gunicorn"]


def test_the_default_adapts_to_the_requested_value() -> None:
    assert resources("worker_long", Resources(requests={"memory": "2Gi"}))["limits"] == {"memory": "2Gi"}
    assert resources("worker_long", Resources(limits={"memory": "50Mi"}))["requests"]["memory"] == "50Mi"


def test_resources_can_be_set_to_empty() -> None:
    assert resources("gunicorn", Resources(requests={}, limits={})) == {}


def test_a_request_above_its_limit_says_whose_and_what_to_do() -> None:
    requested = Resources(requests={"memory": "2Gi"}, limits={"memory": "1Gi"})
    assert "workerDefault: the request of 2Gi memory is above the limit of 1Gi: lower" in resources_problem(
        "worker_default", requested
    )
    assert resources("worker_default", requested)["requests"] == {"memory": "1Gi"}
    assert resources_problem("worker_default", Resources(requests={"memory": "1Gi"}, limits={"memory": "1024Mi"})) == ""


@given(st.sampled_from(sorted(DEFAULTS)), RESOURCES, RESOURCES)
def test_no_request_is_ever_above_its_limit(component: str, site: Resources | None, bench: Resources | None) -> None:
    decided = resources(component, site, bench)
    limits = decided.get("limits", {})
    for name, value in decided.get("requests", {}).items():
        assert name not in limits or amount(value) <= amount(limits[name])
