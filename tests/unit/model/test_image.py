"""The image of a bench: what was found in it, its digest, and the order of releases."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import json

from frappe_operator.model.image import Image, facts_from, image_digest, older
from tests.unit.resolved_samples import FACTS, REFERENCE, an_offer


def test_facts_survive_their_config_map_and_rubbish_is_none() -> None:
    assert facts_from({"facts": json.encode(FACTS).decode()}) == FACTS
    assert facts_from({}) is None
    assert facts_from({"facts": "{"}) is None


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
    assert older(version, than) is is_older


@given(st.text(max_size=20), st.text(max_size=20))
def test_of_two_versions_whatever_at_most_one_is_older(one: str, other: str) -> None:
    assert not (older(one, other) and older(other, one))


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
    assert image_digest(reference, image_id) == digest


def test_an_image_is_asked_for_with_tag_and_digest_and_one_with_a_digest_as_it_is() -> None:
    facts = FACTS.__class__(REFERENCE, "15.51.1", "3.11.6", {}, digest=SOME)
    assert an_offer(facts=facts).target_image == Image(f"{REFERENCE}@{SOME}")
    named = FACTS.__class__(f"r.net/erp@{SOME}", "15.51.1", "3.11.6", {}, digest=SOME)
    assert named.pinned == f"r.net/erp@{SOME}"


def test_facts_of_an_earlier_operator_have_no_digest_and_the_same_key() -> None:
    old = '{"reference": "r.net/erp:v15", "frappeVersion": "15.1.0", "python": "3.11", "apps": {}, "previousKey": ""}'
    facts = facts_from({"facts": old})
    assert facts is not None
    assert facts.pinned == "r.net/erp:v15"
    assert facts.describes(Image("r.net/erp:v15"))
    assert facts.key == Image("r.net/erp:v15").key != Image("r.net/erp:v15", request="1").key
