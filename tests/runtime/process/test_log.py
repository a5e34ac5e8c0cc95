"""What the log says of a mistake of ours, and what it must not say."""

import json
from pathlib import Path

import pytest
import structlog

from frappe_operator.kube.kinds import SECRET, Ref
from frappe_operator.kube.reasons import Reason
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


def test_every_line_is_json_whatever_is_in_it(capsys: pytest.CaptureFixture[str]) -> None:
    log.configure("json", "info")
    ref = Ref(SECRET, "default", "bear")
    structlog.get_logger("test").info("written", ref=ref, error=OSError("gone"), path=Path("/tmp"), reason=Reason.READY)
    line = json.loads(capsys.readouterr().err)
    assert (line["event"], line["reason"], line["error"]) == ("written", "Ready", "OSError('gone')")
    structlog.reset_defaults()
