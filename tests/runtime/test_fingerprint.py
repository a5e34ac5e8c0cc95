"""One number says that a child is right, field by field: equal is only what is equal."""

import copy
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakecluster.apiserver.verbs import Api
from frappe_operator.kube.kinds import ADDED, CONFIG_MAP, DEPLOYMENT, Ref, ref_of
from frappe_operator.kube.live import OPERATOR_NAME, Live
from frappe_operator.kube.names import INSTANCE
from frappe_operator.kube.objects import Manifest
from frappe_operator.runtime.cache.decoding import Decoder
from frappe_operator.runtime.cache.store import Store
from frappe_operator.runtime.drift import NOTHING, fingerprint
from tests.golden.cases import CASES, RUNNER, children
from tests.runtime.environment import NS, a_config, a_deployment

decode = Decoder(Live).object


def an_api() -> Api:
    api = Api(lambda: 0.0, more_kinds=ADDED)
    api.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NS}}, "kubectl")
    return api


def in_order(obj: Manifest) -> bytes:
    """As the real API server sends it: maps in order, fields' sets too."""
    return orjson.dumps(obj, option=orjson.OPT_SORT_KEYS)


def number(obj: Manifest) -> int:
    """What of an object is ours, as the store has it."""
    applied = decode(in_order(obj)).applied
    return applied() if applied else NOTHING


def a_child(**container: Any) -> Manifest:
    """A Deployment whose amounts are written as the server writes them."""
    amounts = {"resources": {"limits": {"cpu": "1", "memory": "512Mi"}}}
    return a_deployment(container={"ports": [{"containerPort": 8080}], **amounts, **container})


def applied(api: Api, manifest: Manifest) -> Manifest:
    api.apply(manifest, OPERATOR_NAME)
    return api.get(ref_of(manifest)).obj


def repaired(case: str) -> list[Manifest]:
    """The children of a golden case that are kept equal to their manifests: all but Jobs, Secrets and the runner."""
    return [each for each in children(case) if each["kind"] not in ("Job", "Secret") and each.get("data") != RUNNER]


@pytest.mark.parametrize("case", CASES)
def test_every_child_of_the_golden_cases_has_the_fingerprint_of_its_manifest(case: str) -> None:
    for manifest in repaired(case):
        api = an_api()
        namespace = manifest["metadata"]["namespace"]
        api.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}, "kubectl")
        assert number(applied(api, manifest)) == fingerprint(manifest), ref_of(manifest)


OTHERS: dict[str, Manifest] = {
    "a field we have no word on": {"spec": {"paused": True}},
    "a label": {"metadata": {"labels": {"team": "blue"}}},
    "an annotation": {"metadata": {"annotations": {"note": "x"}}},
    "the node": {"spec": {"template": {"spec": {"nodeName": "n"}}}},
}


@pytest.mark.parametrize("patch", OTHERS.values(), ids=OTHERS)
def test_fields_of_other_managers_do_not_change_the_fingerprint(patch: Manifest) -> None:
    api, child = an_api(), a_child()
    applied(api, child)
    api.merge(ref_of(child), patch, "kubectl")
    assert number(api.get(ref_of(child)).obj) == fingerprint(child)


NEWS: dict[str, tuple[Manifest, bool]] = {
    "an annotation that nobody reads": (
        {"metadata": {"annotations": {"pv.kubernetes.io/bind-completed": "yes"}}},
        False,
    ),
    "an annotation": ({"metadata": {"annotations": {"team": "blue"}}}, True),
    "a field that others add": ({"data": {"theirs": "x"}}, False),
    "a field of ours": ({"data": {"size": "2"}}, True),
}


@pytest.mark.parametrize(("patch", "news"), NEWS.values(), ids=NEWS)
@pytest.mark.parametrize("claimed", [True, False])
def test_changes_by_others_that_leave_owned_fields_alone_trigger_nothing(
    patch: Manifest, news: bool, claimed: bool
) -> None:
    api, child, store = an_api(), a_config(), Store(CONFIG_MAP)
    store.put(decode(in_order(applied(api, child))))
    api.merge(ref_of(child), patch, "kubectl")
    now = copy.deepcopy(api.get(ref_of(child)).obj)
    if not claimed:
        # Anybody may take that from an object. Then nothing tells what of it is ours.
        del now["metadata"]["managedFields"]
    changed = store.put(decode(in_order(now)))
    assert (changed is not None) is (news or not claimed)
    assert str(store.all()[0].metadata.resource_version) == now["metadata"]["resourceVersion"]


def test_entries_of_other_managers_in_a_keyed_list_do_not_change_the_fingerprint() -> None:
    api, child = an_api(), a_child()
    live = copy.deepcopy(applied(api, child))
    containers = live["spec"]["template"]["spec"]["containers"]
    containers.insert(0, {"name": "mesh", "image": "mesh:1"})
    containers[1]["ports"].append({"containerPort": 9090})
    api.merge(ref_of(child), {"spec": live["spec"]}, "kubectl")
    now = api.get(ref_of(child)).obj
    assert [each["name"] for each in now["spec"]["template"]["spec"]["containers"]] == ["mesh", "main"]
    assert number(now) == fingerprint(child)


EDITS: dict[str, Manifest] = {
    "a number": {"spec": {"replicas": 7}},
    "a label that is gone": {"metadata": {"labels": {"app.kubernetes.io/instance": None}}},
    "a label that says something else": {"metadata": {"labels": {"app.kubernetes.io/instance": "other"}}},
    "an image": {"spec": {"template": {"spec": {"containers": [{"name": "main", "image": "evil"}]}}}},
    "no owner": {"metadata": {"ownerReferences": []}},
}


@pytest.mark.parametrize("patch", EDITS.values(), ids=EDITS)
def test_another_value_of_an_owned_field_changes_the_fingerprint(patch: Manifest) -> None:
    api, child = an_api(), a_child()
    owner = {"apiVersion": "v1", "kind": "Toy", "name": "bear", "uid": "u", "controller": True}
    child["metadata"]["ownerReferences"] = [owner]
    assert number(applied(api, child)) == fingerprint(child)
    api.merge(ref_of(child), patch, "kubectl")
    assert number(api.get(ref_of(child)).obj) != fingerprint(child)


def test_a_field_that_is_not_desired_any_more_changes_the_fingerprint() -> None:
    api = an_api()
    live = applied(api, a_child(workingDir="/tmp"))
    assert number(live) == fingerprint(a_child(workingDir="/tmp"))
    assert number(live) != fingerprint(a_child())


@pytest.mark.parametrize("key", ["/a", '/a"b', "/a\\b", '/"k:{}', "/}", "/ä", '/{\\"name\\":1}', "k:", "\x7f"])
def test_the_key_of_an_entry_may_be_any_text(key: str) -> None:
    """Of two field sets that differ in keys only, one is made out by what is known of the other."""

    def mounting(name: str, path: str) -> Manifest:
        child = a_child(volumeMounts=[{"name": name, "mountPath": path}, {"name": "tmp", "mountPath": "/tmp"}])
        volumes: list[Manifest] = [{"name": each, "emptyDir": {}} for each in ("files", "other", "tmp")]
        child["spec"]["template"]["spec"]["volumes"] = volumes
        return child

    for path in ("/known", key):
        live = applied(an_api(), mounting("files", path))
        assert number(live) == fingerprint(mounting("files", path))
        assert number(live) != fingerprint(mounting("other", path))


def test_entries_with_different_owned_fields_are_told_apart_by_their_keys() -> None:
    secret = {"secretKeyRef": {"name": "s", "key": "k"}}
    for first, second in (("A", "B"), ("B", "A")):
        child = a_child(env=[{"name": first, "value": "x"}, {"name": second, "valueFrom": secret}])
        assert number(applied(an_api(), child)) == fingerprint(child)


def test_false_managed_fields_change_the_fingerprint() -> None:
    """`managedFields` is a claim: whoever may write the object may write it as well."""
    live = copy.deepcopy(applied(an_api(), a_child()))
    live["spec"]["replicas"] = 9
    assert number(live) != fingerprint(a_child())
    ours = next(each for each in live["metadata"]["managedFields"] if each["manager"] == OPERATOR_NAME)
    del ours["fieldsV1"]["f:spec"]["f:replicas"]
    assert number(live) != fingerprint(a_child())


STRANGE: dict[str, Manifest] = {
    "a field that is not there": {"f:spec": {"f:nothing": {}}},
    "a map that is a list": {"f:spec": {"f:template": {"f:spec": {"f:containers": {"f:name": {}}}}}},
    "a list that is a number": {"f:spec": {"f:replicas": {'k:{"name":"x"}': {}}}},
    "a key that is none": {"f:spec": {"f:template": {"f:spec": {"f:containers": {"k:nonsense": {}}}}}},
    "no map at all": {"f:spec": 7},
}


@pytest.mark.parametrize("fields", STRANGE.values(), ids=STRANGE)
def test_unknown_field_sets_have_no_fingerprint(fields: Manifest) -> None:
    live = copy.deepcopy(applied(an_api(), a_child()))
    live["metadata"]["managedFields"] = [
        {"manager": OPERATOR_NAME, "operation": "Apply", "fieldsType": "FieldsV1", "fieldsV1": fields}
    ]
    assert number(live) == NOTHING


def test_an_object_of_another_manager_has_no_owned_fields() -> None:
    api, child = an_api(), a_child()
    api.create(child, "kubectl")
    assert number(api.get(Ref(DEPLOYMENT, NS, "bear-web")).obj) == NOTHING


# --- children that differ in names only


def owned(owner: str, *, uid: str = "", **values: str) -> Manifest:
    """A child whose container has the values in its environment."""
    env = [{"name": name, "value": value} for name, value in values.items()]
    child = a_child(env=env)
    child["metadata"]["labels"][INSTANCE] = owner
    reference = {"apiVersion": "v1", "kind": "Toy", "name": owner, "uid": uid or f"uid-of-{owner}", "controller": True}
    child["metadata"]["ownerReferences"] = [reference]
    return child


@pytest.mark.parametrize("owner", ["true", "null", "1", "e", "u2", "spec", "value", "containers"])
def test_an_owner_may_have_the_name_of_a_json_literal_or_of_a_field(owner: str) -> None:
    child = owned(owner, host=f"{owner}.example.com")
    assert number(applied(an_api(), child)) == fingerprint(child)


@pytest.mark.parametrize("value", ["\x7f", "\x7f1", "\x7f2", "\n", "\\u007f1"])
def test_a_control_character_is_never_taken_for_the_owners_name(value: str) -> None:
    live = applied(an_api(), owned("otter", host=value))
    assert number(live) != fingerprint(owned("otter", host="otter"))
    assert number(live) != fingerprint(owned("otter", host="uid-of-otter"))


WORDS = st.lists(
    st.sampled_from(["otter", "vole", "ot", "ter", "-", "\x7f1", '"', "\\", "1"]), min_size=1, max_size=3
).map("".join)


OWNERS = st.tuples(st.sampled_from(["otter", "vole", "1", "ot"]), st.sampled_from(["u-1", "u-2"]))


@given(mine=WORDS, theirs=WORDS, owner=OWNERS, other=OWNERS)
def test_only_equal_children_have_the_same_number(
    mine: str, theirs: str, owner: tuple[str, str], other: tuple[str, str]
) -> None:
    wanted = owned(owner[0], uid=owner[1], host=mine)
    another = owned(other[0], uid=other[1], host=theirs)
    live = applied(an_api(), another)
    assert (number(live) == fingerprint(wanted)) is (wanted == another)


def test_a_child_of_another_owner_of_the_same_name_is_another() -> None:
    live = applied(an_api(), owned("otter", uid="u-1", host="x"))
    assert number(live) == fingerprint(owned("otter", uid="u-1", host="x"))
    assert number(live) != fingerprint(owned("otter", uid="u-2", host="x"))


def test_the_uid_of_another_owner_is_never_taken_for_ones_own() -> None:
    number(applied(an_api(), owned("otter", uid="u-1111", of="u-1111")))
    live = applied(an_api(), owned("badger", uid="u-2222", of="u-1111"))
    assert number(live) != fingerprint(owned("badger", uid="u-2222", of="u-2222"))
