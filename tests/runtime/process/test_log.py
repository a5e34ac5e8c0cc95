"""What the log says of a mistake of ours, and what it must not say."""

import pytest
import structlog

from frappe_operator.runtime.process import log
from frappe_operator.runtime.process.log import Format


@pytest.mark.parametrize("form", ["json", "human"])
def test_a_traceback_shows_no_values(form: Format, capsys: pytest.CaptureFixture[str]) -> None:
    log.configure(form, "info")
    try:
        _fail("hunter" + "2")
    except ValueError:
        structlog.get_logger("test").exception("reconcile failed")
    said = capsys.readouterr().err
    assert "ValueError" in said
    assert "_fail" in said
    assert "hunter2" not in said
    structlog.reset_defaults()


def _fail(password: str) -> None:
    raise ValueError(f"of {len(password)} characters")
