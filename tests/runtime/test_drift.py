"""Desired ⊆ live: what is a difference, and what only looks like one."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from frappe_operator.kube.objects import Manifest
from frappe_operator.runtime.drift import difference, quantity, stale_field


def a_container(**more: Any) -> Manifest:
    return {"name": "main", "image": "x", **more}


def a_pod(*containers: Manifest, **more: Any) -> Manifest:
    return {"spec": {"containers": list(containers or [a_container()]), **more}}


SAME: list[tuple[str, Manifest, Manifest]] = [
    ("defaults of the server", a_pod(), a_pod(a_container(imagePullPolicy="Always"), restartPolicy="Always")),
    (
        "quantities in another spelling",
        a_pod(a_container(resources={"requests": {"cpu": "1000m", "memory": "0.5Gi"}})),
        a_pod(a_container(resources={"requests": {"cpu": "1", "memory": "512Mi"}})),
    ),
    (
        "a number for a quantity",
        a_pod(a_container(resources={"limits": {"cpu": 2}})),
        a_pod(a_container(resources={"limits": {"cpu": "2"}})),
    ),
    ("a sidecar someone put in", a_pod(), a_pod(a_container(), {"name": "mesh"})),
    ("containers in another order", a_pod(a_container(), {"name": "b"}), a_pod({"name": "b"}, a_container())),
    (
        "a variable someone put in",
        a_pod(a_container(env=[{"name": "A", "value": "1"}])),
        a_pod(a_container(env=[{"name": "Z"}, {"name": "A", "value": "1"}])),
    ),
    (
        "a port without its protocol",
        a_pod(a_container(ports=[{"containerPort": 80}])),
        a_pod(a_container(ports=[{"containerPort": 80, "protocol": "TCP"}])),
    ),
    (
        "a node port",
        {"spec": {"ports": [{"port": 80}]}},
        {"spec": {"ports": [{"port": 80, "protocol": "TCP", "nodePort": 3}]}},
    ),
    ("what is empty is left out", a_pod(hostNetwork=False, tolerations=[], nodeSelector={}), a_pod()),
    ("a port as a string", {"spec": {"port": 8080}}, {"spec": {"port": "8080"}}),
    ("a finalizer of another", {"metadata": {"finalizers": ["a"]}}, {"metadata": {"finalizers": ["b", "a"]}}),
    ("a label of another", {"metadata": {"labels": {"a": "1"}}}, {"metadata": {"labels": {"a": "1", "b": "2"}}}),
]

DIFFERENT: list[tuple[str, Manifest, Manifest, str]] = [
    ("an image", a_pod(), a_pod(a_container(image="y")), "spec.containers.[main].image"),
    ("a container that is gone", a_pod(a_container(), {"name": "b"}), a_pod(), "spec.containers.[b]"),
    (
        "more of it",
        a_pod(a_container(resources={"requests": {"cpu": "1"}})),
        a_pod(a_container(resources={"requests": {"cpu": "1001m"}})),
        "spec.containers.[main].resources.requests.cpu",
    ),
    (
        "an argument too many",
        a_pod(a_container(args=["a"])),
        a_pod(a_container(args=["a", "b"])),
        "spec.containers.[main].args",
    ),
    (
        "arguments in another order",
        a_pod(a_container(args=["a", "b"])),
        a_pod(a_container(args=["b", "a"])),
        "spec.containers.[main].args.0",
    ),
    (
        "a value that only reads like a quantity",
        a_pod(a_container(env=[{"name": "A", "value": "1000m"}])),
        a_pod(a_container(env=[{"name": "A", "value": "1"}])),
        "spec.containers.[main].env.[A].value",
    ),
    ("true for false", a_pod(hostNetwork=False), a_pod(hostNetwork=True), "spec.hostNetwork"),
    ("false is not zero", a_pod(x=False), a_pod(x=0), "spec.x"),
    ("zero is not one", {"spec": {"replicas": 0}}, {"spec": {"replicas": 1}}, "spec.replicas"),
    (
        "a door someone opened",
        {"spec": {"ingress": [{"ports": [{"port": 80}]}]}},
        {"spec": {"ingress": [{"ports": [{"port": 80}, {"port": 22}]}]}},
        "spec.ingress.0.ports",
    ),
    ("a whole map that is gone", {"metadata": {"labels": {"a": "1"}}}, {"metadata": {}}, "metadata.labels"),
    ("something else altogether", {"spec": {"x": {"y": 1}}}, {"spec": {"x": [1]}}, "spec.x"),
    ("a list that became a word", {"spec": {"x": [1]}}, {"spec": {"x": "1"}}, "spec.x"),
    (
        "one more label in a selector",
        {"spec": {"selector": {"a": "1"}}},
        {"spec": {"selector": {"a": "1", "b": "2"}}},
        "spec.selector.b",
    ),
    (
        "UDP for TCP",
        {"spec": {"ports": [{"port": 53}]}},
        {"spec": {"ports": [{"port": 53, "protocol": "UDP"}]}},
        "spec.ports.[53/TCP]",
    ),
]


@pytest.mark.parametrize(("desired", "live"), [case[1:] for case in SAME], ids=[case[0] for case in SAME])
def test_not_a_difference(desired: Manifest, live: Manifest) -> None:
    assert difference(desired, live) == ""


@pytest.mark.parametrize(
    ("desired", "live", "where"), [case[1:] for case in DIFFERENT], ids=[case[0] for case in DIFFERENT]
)
def test_a_difference_and_where(desired: Manifest, live: Manifest, where: str) -> None:
    assert difference(desired, live) == where


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("1500m", "1.5"),
        ("0.5Gi", "536870912"),
        ("512Mi", "536870912"),
        ("1e3", "1000"),
        ("2k", "2000"),
        ("-1", "-1"),
        ("1Ki", "1024"),
        ("5E", "5000000000000000000"),
        ("100n", "1e-7"),
    ],
)
def test_quantities(text: str, number: str) -> None:
    assert quantity(text) == Decimal(number)


@pytest.mark.parametrize("text", ["", "x", "1..2", "4gb", "1 Gi", "--1", "None"])
def test_what_is_no_quantity(text: str) -> None:
    assert quantity(text) is None


SCALARS = st.one_of(st.text(max_size=3), st.integers(-3, 3), st.booleans())
VALUES: st.SearchStrategy[Any] = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(["a", "b", "env", "requests"]), inner, max_size=3)
    ),
    max_leaves=8,
)


def _grown(value: Any, draw: st.DataObject) -> Any:
    """The value with what a server may add: fields in maps."""
    if isinstance(value, dict):
        grown = {name: _grown(inner, draw) for name, inner in value.items()}
        return {**grown, "added": draw.draw(SCALARS)} if draw.draw(st.booleans()) else grown
    if isinstance(value, list):
        return [_grown(inner, draw) for inner in value]
    return value


@given(VALUES)
def test_an_object_has_no_difference_to_itself(value: Any) -> None:
    assert difference({"spec": value}, {"spec": value}) == ""


@given(VALUES, st.data())
def test_what_a_server_adds_is_no_difference(value: Any, data: st.DataObject) -> None:
    assert difference({"spec": value}, {"spec": _grown(value, data)}) == ""


@given(VALUES, VALUES, VALUES)
def test_having_all_fields_is_transitive(first: Any, second: Any, third: Any) -> None:
    if isinstance(first, dict) and isinstance(second, dict) and isinstance(third, dict):
        # What nobody asked for comes along; a field asked for as empty must not, for it may be absent.
        merged = {**{name: value for name, value in third.items() if name not in first}, **second}
        if difference(first, second) == "":
            assert difference(first, merged) == ""


@given(st.decimals(min_value=0, max_value=10**6, places=3))
def test_a_quantity_is_its_number_in_every_spelling(number: Decimal) -> None:
    milli = f"{int(number * 1000)}m"
    assert quantity(milli) == quantity(str(number)) == number


def owned(**fields: Any) -> Manifest:
    entry = {"manager": "frappe-operator", "operation": "Apply", "fieldsType": "FieldsV1", "fieldsV1": fields}
    other = {"manager": "kubectl", "operation": "Update", "fieldsV1": {"f:spec": {"f:paused": {}}}}
    status = {**entry, "subresource": "status", "fieldsV1": {"f:status": {"f:x": {}}}}
    return {"metadata": {"managedFields": [other, status, entry]}}


def test_an_owned_field_that_is_not_desired_any_more_is_found() -> None:
    live = owned(**{"f:spec": {"f:replicas": {}, "f:nodeSelector": {".": {}, "f:disk": {}}}})
    assert stale_field({"spec": {"replicas": 1, "nodeSelector": {"disk": "ssd"}}}, live) == ""
    assert stale_field({"spec": {"replicas": 1, "nodeSelector": {"zone": "a"}}}, live) == "spec.nodeSelector.disk"
    assert stale_field({"spec": {"replicas": 1}}, live) == "spec.nodeSelector"
    assert stale_field({}, live) == "spec"


def test_an_owned_entry_of_a_list_that_is_not_desired_any_more_is_found() -> None:
    live = owned(
        **{"f:spec": {"f:ports": {'k:{"containerPort":80,"protocol":"TCP"}': {".": {}, "f:containerPort": {}}}}}
    )
    assert stale_field({"spec": {"ports": [{"containerPort": 80}]}}, live) == ""
    assert stale_field({"spec": {"ports": [{"containerPort": 81}]}}, live) != ""


def test_an_owned_value_of_a_set_that_is_not_desired_any_more_is_found() -> None:
    live = owned(**{"f:metadata": {"f:finalizers": {'v:"a"': {}}}})
    assert stale_field({"metadata": {"finalizers": ["b", "a"]}}, live) == ""
    assert stale_field({"metadata": {"finalizers": ["b"]}}, live) != ""


def test_fields_of_others_are_theirs() -> None:
    assert stale_field({}, owned()) == ""
