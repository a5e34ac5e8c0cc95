"""Serving: the verdict for each response to a ping through the proxy."""

import pytest

from frappe_operator.components import pages
from frappe_operator.runtime.client.fetch import Answer
from frappe_operator.site.conditions import serving
from frappe_operator.site.probe import Responses
from tests.unit.resolved_samples import a_site


@pytest.mark.parametrize(
    ("responses", "says"),
    [
        (None, "is probed once a web pod of the site is ready"),
        (Responses({}, Answer(503, pages.DOWN)), "does not return 200: HTTP 503: the web pods do not respond"),
        (Responses({}, Answer(418, "")), "does not return 200: HTTP 418"),
        (Responses({}, Answer(0, "connection refused")), "does not return 200: connection refused"),
    ],
)
def test_it_is_false_until_a_ping_is_answered_with_200(responses: Responses | None, says: str) -> None:
    verdict = serving.probed(a_site(), responses)
    assert (verdict.ok, verdict.blocked) == (False, False)
    assert says in verdict.message


def test_it_is_true_with_an_answer() -> None:
    assert serving.probed(a_site(), Responses({}, Answer(200, "pong"))).ok


def test_a_site_without_web_servers_is_blocked_whatever_answers() -> None:
    site = a_site(componentReplicas={"gunicorn": 0})
    verdict = serving.probed(site, Responses({}, Answer(200, "pong")))
    assert verdict.blocked
    assert "componentReplicas.gunicorn is 0" in verdict.message
