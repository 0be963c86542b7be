"""Every complaint of the survey has one answer: tests that exist, a reason, or the part that it waits for."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from .pages import names_of_tests

COMPLAINTS: dict[str, dict[str, Any]] = tomllib.loads(
    Path(__file__).with_name("complaints.toml").read_text("utf-8")
)
#: What goes with each kind of answer.
ANSWERS = {"proved": {"tests"}, "outside": set[str](), "later": {"waits_for"}}
PARTS = {"usage meter", "API keys and Codex", "remote clients", "gateway"}


def test_every_complaint_has_a_row() -> None:
    assert list(COMPLAINTS) == [str(number) for number in range(1, 122)]


def test_every_row_has_one_answer_and_what_goes_with_it() -> None:
    for number, row in COMPLAINTS.items():
        (answer,) = ANSWERS.keys() & row.keys()
        assert {*row} == {"symptom", answer} | ANSWERS[answer], number
        assert all(row.values()), number
        assert row.get("waits_for") in {None, *PARTS}, number


def test_every_test_that_a_row_names_exists() -> None:
    named = {test for row in COMPLAINTS.values() for test in row.get("tests", ())}
    missing = [
        test
        for test in named
        if test.partition("::")[2] not in names_of_tests(f"tests/{test.partition('::')[0]}")
    ]
    assert missing == []
    assert len(named) > 100
