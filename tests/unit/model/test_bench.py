"""Resolving the spec of a bench."""

import ipaddress
import re
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from frappe_operator.api.apps import App
from frappe_operator.api.frappebench import FrappeBenchSpec, ImageConfig
from frappe_operator.api.kinds import BENCH
from frappe_operator.api.types import NETWORK
from frappe_operator.kube.reasons import Reason
from frappe_operator.kube.stage import Blocked
from frappe_operator.model import bench as model
from frappe_operator.model.bench import RWO, RWX, apps, image
from frappe_operator.model.domain_defaults import NO_DEFAULTS
from tests.unit.resolved_samples import IMAGES, REFERENCE, a_bench, an_offer, live


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
        *('[{"name": "crm", "name": "hrms"}]', '[{"name": "crm", "source": 1}]', '[{"name": "crm", "x": 1}]'),
    ],
    ids=lambda text: ascii(text[:40]),
)
def test_other_apps_json_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(Blocked, match=r'appsJSON.*\["erpnext", "hrms"\]') as blocked:
        apps(FrappeBenchSpec(frappe_version="v15", apps_json=text or " "))
    assert blocked.value.verdict.reason == Reason.INVALID_SPEC


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


def test_sites_run_the_last_inspected_image_until_the_new_one_is_inspected() -> None:
    assert a_bench(frappeVersion="version-16").image.reference.endswith("version-16")
    bench = an_offer(frappeVersion="version-16")
    assert bench.target_image is not None
    assert bench.target_image.reference == REFERENCE
    assert an_offer(facts=None).target_image is None


def test_an_invalid_spec_is_blocked_with_a_message_and_has_defaults_elsewhere() -> None:
    broken = live("wreck", {"frappeVersion": 15}, kind=BENCH)
    with pytest.raises(Blocked, match="frappeVersion"):
        model.parse(broken)
    assert model.domain_defaults(broken) == NO_DEFAULTS
    assert model.pull_secrets(broken) == ()


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


def test_a_trusted_proxy_is_a_network_in_the_format_of_nginx_or_a_problem() -> None:
    assert a_bench(trustedProxies=["10.1.2.3/8", "FD00:0:0::/48"]).trusted_proxies == ("10.0.0.0/8", "fd00::/48")
    spec = FrappeBenchSpec(frappe_version="v15", trusted_proxies=["10.0.0.0/8", "ingress"])
    assert "'ingress' is not a network" in model.trusted_proxies_problem(spec)
    assert a_bench(trustedProxies=["10.0.0.0/8", "ingress"]).trusted_proxies == ("10.0.0.0/8",)
