"""What a bench's spec comes to."""

import ipaddress
import re
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from frappe_operator.api.frappebench import App, FrappeBenchSpec, ImageConfig
from frappe_operator.api.kinds import BENCH
from frappe_operator.api.types import NETWORK
from frappe_operator.kube.reasons import Reason
from frappe_operator.kube.stage import Blocked
from frappe_operator.model import bench as model
from frappe_operator.model.bench import RWO, RWX, apps, image, redis_memory
from tests.unit.resolved_samples import FACTS, IMAGES, REFERENCE, a_bench, an_offer, live


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("[]", ("frappe",)),
        ('["erpnext", "hrms"]', ("frappe", "erpnext", "hrms")),
        ('["hrms", "frappe", "hrms"]', ("frappe", "hrms")),
        ('[{"name": "crm", "source": "image"}, "hrms"]', ("frappe", "crm", "hrms")),
    ],
)
def test_apps_json_names_apps_in_order_each_once_frappe_first(text: str, named: tuple[str, ...]) -> None:
    assert apps(FrappeBenchSpec(frappe_version="v15", apps_json=text)) == named


@pytest.mark.parametrize(
    "text",
    [
        *("", "[", "null", '"crm"', "{}", "[1]", "[{}]", '[["crm"]]', '["a b"]', '["--force"]', '["../crm"]'),
        *("[" * 8000, "[" + "9" * 5000 + "]", '["c\0rm"]', '["\\ud800"]', "\ud800", '{"name": "crm"}'),
        *('[{"name": "crm", "name": "hrms"}]', '[{"name": "crm", "source": "git"}]', '[{"name": "crm", "x": 1}]'),
    ],
    ids=lambda text: ascii(text[:40]),
)
def test_other_apps_json_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(Blocked, match=r'appsJSON .*\["erpnext", "hrms"\]') as blocked:
        apps(FrappeBenchSpec(frappe_version="v15", apps_json=text or " "))
    assert blocked.value.verdict.reason == Reason.INVALID_SPEC


@pytest.mark.parametrize("field", ["branch", "url", "gitUrl", "gitBranch", "version"])
def test_apps_json_that_says_where_an_app_comes_from_is_refused_and_not_half_read(field: str) -> None:
    with pytest.raises(Blocked, match="apps are taken from the image: remove branch, url and similar fields"):
        apps(FrappeBenchSpec(frappe_version="v15", apps_json=f'[{{"name": "crm", "{field}": "x"}}]'))


@given(st.text(max_size=60))
def test_no_apps_json_whatever_leads_to_anything_but_names_or_a_sentence(text: str) -> None:
    try:
        found = apps(FrappeBenchSpec(frappe_version="v15", apps_json=text))
    except Blocked:
        return
    assert found[0] == "frappe"
    assert all(name.isidentifier() for name in found)


def test_typed_apps_are_the_same() -> None:
    spec = FrappeBenchSpec(frappe_version="v15", apps=[App(name="crm"), App(name="hrms", source="image")])
    assert apps(spec) == ("frappe", "crm", "hrms")


@pytest.mark.parametrize(
    ("config", "reference"),
    [
        (None, REFERENCE),
        (ImageConfig(tag="t"), f"{IMAGES.frappe}:t"),
        (ImageConfig(repository="r.net:5000/erp"), "r.net:5000/erp:version-15"),
        (ImageConfig(tag="t", digest="sha256:" + "0" * 64), f"{IMAGES.frappe}@sha256:" + "0" * 64),
    ],
)
def test_the_image_is_what_image_config_says_with_the_version_as_tag(
    config: ImageConfig | None, reference: str
) -> None:
    assert image(FrappeBenchSpec(frappe_version="version-15", image_config=config), IMAGES).reference == reference


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
        asked = live("pier", {"frappeVersion": "v15", **spec}, kind=BENCH)
        assert (model.memory_problem(model.parse(asked)) == "") is fine, memory
        assert a_bench(**spec).redis.max_memory == redis_memory(memory), "what exists stays as it is"


@pytest.mark.parametrize("spec", [{"storage": {"size": "5 GB"}}, {"databaseConfig": {"storageSize": "much"}}])
def test_what_is_no_amount_is_blocked_where_no_rule_refused_it(spec: dict[str, Any]) -> None:
    with pytest.raises(Blocked, match=": must be a quantity such as 5Gi"):
        a_bench(**spec)


@pytest.mark.parametrize(
    ("provisioner", "annotation", "mode"),
    [
        ("efs.csi.aws.com", "", RWX),
        ("ebs.csi.aws.com", "", RWO),
        ("ebs.csi.aws.com", "ReadWriteOnce,ReadWriteMany", RWX),
        ("efs.csi.aws.com", "ReadWriteOnce", RWO),
    ],
)
def test_a_class_can_do_what_it_says_else_what_its_provisioner_is_known_for(
    provisioner: str, annotation: str, mode: str
) -> None:
    assert model.access_modes(provisioner, annotation) == mode


def test_sites_run_the_image_that_was_looked_into_until_the_new_one_was() -> None:
    assert a_bench(frappeVersion="version-16").image.reference.endswith("version-16")
    bench = an_offer(frappeVersion="version-16")
    assert bench.running_image is not None
    assert bench.running_image.reference == REFERENCE
    assert an_offer(facts=None).running_image is None


def test_what_is_no_spec_is_blocked_in_words_and_asked_for_softly_elsewhere() -> None:
    broken = live("wreck", {"frappeVersion": 15}, kind=BENCH)
    with pytest.raises(Blocked, match="frappeVersion"):
        model.parse(broken)
    assert model.suffix(broken) is None
    assert model.pull_secrets(broken) == ()


def test_missing_apps_are_those_the_image_was_found_not_to_hold() -> None:
    assert model.missing_apps(a_bench(appsJSON='["crm", "hrms"]')) == ["crm"]
    assert model.missing_apps(a_bench(appsJSON='["crm"]', facts=None)) == []


def test_facts_survive_their_config_map_and_rubbish_is_none() -> None:
    from msgspec import json

    assert model.facts_from({"facts": json.encode(FACTS).decode()}) == FACTS
    assert model.facts_from({}) is None
    assert model.facts_from({"facts": "{"}) is None


ADDRESSES = st.ip_addresses() | st.from_regex(r"[0-9a-f:.]{1,24}", fullmatch=True)


@given(ADDRESSES, st.integers(0, 130))
@example("10.1.2.3", 8)
@example("::", 0)
@example("fd00::1::2", 64)
@example("1:2:3:4:5:6:7::", 64)
@example("010.0.0.1", 8)
def test_the_schema_takes_a_network_where_it_is_one_and_not_everybody(address: object, bits: int) -> None:
    written = f"{address}/{bits}"
    try:
        right = bits > 0 and bool(ipaddress.ip_network(written, strict=False))
    except ValueError:
        right = False
    # An address of IPv4 at the end of one of IPv6, and the address of nobody, are nothing that a proxy has.
    if not ("." in written and ":" in written) and not written.startswith("::/"):
        assert bool(re.fullmatch(NETWORK, written)) == right


def test_a_trusted_proxy_is_a_network_as_nginx_writes_it_and_anything_else_is_said() -> None:
    assert a_bench(trustedProxies=["10.1.2.3/8", "FD00:0:0::/48"]).trusted_proxies == ("10.0.0.0/8", "fd00::/48")
    spec = FrappeBenchSpec(frappe_version="v15", trusted_proxies=["10.0.0.0/8", "ingress"])
    assert "'ingress' is not a network" in model.trusted_proxies_problem(spec)
    assert a_bench(trustedProxies=["10.0.0.0/8", "ingress"]).trusted_proxies == ("10.0.0.0/8",)


@pytest.mark.parametrize(
    ("version", "than", "is_older"),
    [
        ("15.51.1", "15.102.0", True),
        ("15.102.0", "15.51.1", False),
        ("15.102.0", "15.102.0", False),
        ("15.102.0", "16.0.0-dev", True),
        ("16.0.0-dev", "16.0.0", True),
        ("16.0.0", "16.0.0-dev", False),
        ("16.0.0-beta.1", "16.0.0-dev", False),
        ("15.x.x-develop", "15.102.0", False),
        ("14.x.x-develop", "15.102.0", True),
        ("v15.51.1", "15.51.2", True),
        ("", "15.51.2", False),
        ("develop", "15.51.2", False),
        ("15", "15.102.0", False),
    ],
)
def test_releases_are_compared_by_their_numbers(version: str, than: str, is_older: bool) -> None:
    assert model.older(version, than) is is_older


@given(st.text(max_size=20), st.text(max_size=20))
def test_of_two_versions_whatever_at_most_one_is_older(one: str, other: str) -> None:
    assert not (model.older(one, other) and model.older(other, one))


SOME = f"sha256:{'5' * 64}"


@pytest.mark.parametrize(
    ("reference", "image_id", "digest"),
    [
        ("docker.io/frappe/erpnext:v15", f"docker.io/frappe/erpnext@{SOME}", SOME),
        ("frappe/erpnext:v15", f"docker.io/frappe/erpnext@{SOME}", SOME),
        ("erpnext", f"docker-pullable://docker.io/library/erpnext@{SOME}", SOME),
        ("registry.example.com:5000/erp:v15", f"registry.example.com:5000/erp@{SOME}", SOME),
        ("localhost/erp", f"localhost/erp@{SOME}", SOME),
        ("docker.io/frappe/erpnext:v15", SOME, ""),
        ("docker.io/frappe/erpnext:v15", "", ""),
        ("docker.io/frappe/erpnext:v15", f"mirror.example.com/frappe/erpnext@{SOME}", ""),
        ("docker.io/frappe/erpnext:v15", "docker.io/frappe/erpnext@sha256:5", ""),
    ],
)
def test_an_image_is_pinned_by_a_digest_of_its_own_repository(reference: str, image_id: str, digest: str) -> None:
    assert model.image_digest(reference, image_id) == digest


def test_an_image_is_asked_for_with_tag_and_digest_and_one_with_a_digest_as_it_is() -> None:
    facts = FACTS.__class__(REFERENCE, "15.51.1", "3.11.6", {}, digest=SOME)
    assert an_offer(facts=facts).running_image == model.Image(f"{REFERENCE}@{SOME}")
    named = FACTS.__class__(f"r.net/erp@{SOME}", "15.51.1", "3.11.6", {}, digest=SOME)
    assert named.pinned == f"r.net/erp@{SOME}"


def test_facts_of_an_earlier_operator_have_no_digest_and_the_same_key() -> None:
    old = '{"reference": "r.net/erp:v15", "frappeVersion": "15.1.0", "python": "3.11", "apps": {}, "previousKey": ""}'
    facts = model.facts_from({"facts": old})
    assert facts is not None
    assert facts.pinned == "r.net/erp:v15"
    assert facts.answer(model.Image("r.net/erp:v15"))
    assert facts.key == model.Image("r.net/erp:v15").key != model.Image("r.net/erp:v15", request="1").key
