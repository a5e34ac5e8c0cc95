"""The last message of a failed program, without progress bars."""

import pytest

from frappe_operator.runner import child

BAR = "\rUpdating DocTypes for frappe        : [====                    ] 12%\rUpdating DocTypes : [=====] 100%"


@pytest.mark.parametrize(
    ("out", "err", "words"),
    [
        ("Installing frappe...\n" + BAR, "", "Installing frappe..."),
        (BAR, "", "no output"),
        ("", "", "no output"),
        ("Done\n", "\x1b[1;31mValueError: no\x1b[0m room\x07\n\n", "ValueError: no room"),
        ("reason\n 40%|####      | 4/10 [00:01<00:02]\n==========\n", "", "reason"),
        ("[2026-01-01] 100% of the disk is used\n", "", "[2026-01-01] 100% of the disk is used"),
    ],
)
def test_the_last_words_of_a_program_are_words(out: str, err: str, words: str) -> None:
    assert child.Ended(1, out, err).log_tail == words
