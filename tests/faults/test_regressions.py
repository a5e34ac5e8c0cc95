"""Plans that have failed once, each by the name of what they found."""

from collections.abc import Iterator

import pytest
import structlog

from tests.faults.plan import parse
from tests.faults.run_plans import run_plan

FOUND = {
    "what somebody did while a status was written came with its answer, and was never looked at": (
        '{"scenario":"external deleted","faults":[{"at":"watch","what":"drop","kind":"FrappeSite","nth":13}]}'
    ),
    "a process that was shown the past made an Ingress for a site that another had taken apart": (
        '{"scenario":"created again","seed":5,"faults":['
        '{"at":"request","what":"crash","verb":"delete","kind":"Deployment","name":"acme-gunicorn","after":true,"back":8},'
        '{"at":"request","what":"crash","verb":"patch","kind":"FrappeSite","name":"acme","nth":11,"after":true},'
        '{"at":"watch","what":"gone","kind":"ConfigMap"},{"at":"watch","what":"drop","kind":"Pod","nth":5}]}'
    ),
    "a view without the ConfigMap of the image's facts made a new image forget the one before": (
        '{"scenario":"image changed","faults":[{"at":"request","what":"crash","verb":"get","kind":"ConfigMap",'
        '"name":"forge-nginx","after":true,"back":1000000},{"at":"watch","what":"delay","kind":"ConfigMap","nth":6}]}'
    ),
}


@pytest.fixture(autouse=True)
def _log() -> Iterator[None]:
    yield
    structlog.reset_defaults()


@pytest.mark.parametrize("name", FOUND)
def test_what_was_found_once_is_not_found_again(name: str) -> None:
    assert run_plan(parse(FOUND[name])).failures == {}
