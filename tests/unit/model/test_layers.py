"""Which app layers a bench needs, which of them make a release, and which stay."""

from typing import Any

import msgspec
import pytest

from frappe_operator.api.frappebench import FrappeBenchSpec
from frappe_operator.model.image import Facts
from frappe_operator.model.layer import Layer
from frappe_operator.model.layers import Order, kept, missing, orders, problem, recorded, release
from tests.unit.resolved_samples import FACTS, IMAGES


def spec(apps_json: str, **more: Any) -> FrappeBenchSpec:
    return msgspec.convert({"frappeVersion": "version-15", "appsJSON": apps_json, **more}, FrappeBenchSpec)


def built(order: Order, commit: str = "0" * 40, version: str = "1.0") -> Layer:
    return Layer(
        order.app, order.key, order.url, order.ref, commit, version, image_key=order.image_key, request=order.request
    )


def test_only_apps_that_the_image_lacks_or_that_name_git_need_a_layer() -> None:
    found = orders(spec('["erpnext", "crm", {"name": "hrms", "branch": "main"}]'), FACTS, IMAGES)
    assert [(order.app, order.ref) for order in found] == [("crm", "main"), ("hrms", "main")]


def test_the_key_follows_from_the_inputs_alone() -> None:
    (one,) = orders(spec('["crm"]'), FACTS, IMAGES)
    assert orders(spec('[{"name": "crm", "branch": "main"}]'), FACTS, IMAGES) == (one,)
    others = [
        orders(spec('[{"name": "crm", "branch": "develop"}]'), FACTS, IMAGES),
        orders(spec('[{"name": "crm", "url": "https://e.net/crm", "branch": "main"}]'), FACTS, IMAGES),
        orders(spec('["crm"]'), msgspec.structs.replace(FACTS, reference="other:1"), IMAGES),
        orders(spec('["crm"]'), FACTS, IMAGES, "again"),
    ]
    assert len({one.key, *(order.key for (order,) in others)}) == 5


def test_without_the_annotation_a_layer_keeps_the_request_with_which_it_was_built() -> None:
    (again,) = orders(spec('["crm"]'), FACTS, IMAGES, "again")
    assert orders(spec('["crm"]'), FACTS, IMAGES, "", (built(again),)) == (again,)


@pytest.mark.parametrize(
    ("apps", "more", "git", "reason"),
    [
        ('["erpnext"]', {"gitConfig": {"enabled": False}}, False, None),
        ('["crm"]', {}, True, None),
        ('["crm"]', {}, False, "GitForbidden"),
        ('["crm"]', {"gitConfig": {"enabled": False}}, True, "GitForbidden"),
        ('[{"name": "crm", "source": "image"}]', {}, True, "AppNotInImage"),
        ('["unheard_of"]', {}, True, "AppUnknown"),
    ],
)
def test_an_app_that_cannot_be_provided_has_a_reason(
    apps: str, more: dict[str, Any], git: bool, reason: str | None
) -> None:
    found = problem(spec(apps, **more), FACTS, msgspec.structs.replace(IMAGES, git=git))
    assert (found and found[0]) == reason
    if reason:
        assert orders(spec(apps, **more), FACTS, msgspec.structs.replace(IMAGES, git=git)) == ()


def test_a_release_is_complete_when_all_layers_are_built() -> None:
    crm, lms = orders(spec('["crm", "lms"]'), FACTS, IMAGES)
    assert release(FACTS, (crm, lms), (built(crm),)) is None
    assert missing((crm, lms), (built(crm),)) == (lms,)
    found = release(FACTS, (crm, lms), (built(lms), built(crm)))
    assert found is not None
    assert found.apps == {**FACTS.apps, "crm": "1.0", "lms": "1.0"}
    assert [layer.app for layer in found.layers] == ["crm", "lms"]
    assert found.key != FACTS.key
    assert (found.image_key, found.base) == (FACTS.key, FACTS)
    assert release(FACTS, (), (built(crm),)) == FACTS


def test_a_layer_replaces_the_app_of_the_image_in_the_release_only() -> None:
    (hrms,) = orders(spec('[{"name": "hrms", "branch": "main"}]'), FACTS, IMAGES)
    found = release(FACTS, (hrms,), (built(hrms, version="16.0"),))
    assert found is not None
    assert (found.apps["hrms"], found.base.apps["hrms"]) == ("16.0", FACTS.apps["hrms"])
    assert msgspec.json.decode(msgspec.json.encode(found), type=Facts) == found


def test_layers_of_releases_that_sites_run_and_the_two_latest_stay() -> None:
    made = [built(orders(spec('["crm"]'), FACTS, IMAGES, str(number))[0]) for number in range(5)]
    lms = built(orders(spec('["lms"]'), FACTS, IMAGES)[0])
    (now,) = orders(spec('["crm"]'), FACTS, IMAGES, "4")
    assert kept((*made, lms), (now,), [made[0]]) == (made[0], made[3], made[4])


def test_a_layer_that_is_found_again_keeps_its_place() -> None:
    crm, lms = (built(order) for order in orders(spec('["crm", "lms"]'), FACTS, IMAGES))
    newer = msgspec.structs.replace(crm, commit="1" * 40)
    assert recorded((crm, lms), [newer]) == (newer, lms)
    assert recorded((crm,), [lms]) == (crm, lms)
