"""The text of an answer is kept for as long as it is true."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from oneseat.app.usage import Report, read_text
from oneseat.installation import Installation
from oneseat.testing.corpus import CorpusPlan, Tokens
from oneseat.testing.corpus.lines import Pen, Reply, Slot, encode

PEN = Pen(13)
PLACE = Slot("5e551010-0000-4000-8000-000000000003", "/home/me/shop")
REPLY = Reply("msg", CorpusPlan().last, "claude-sonnet-5-5", Tokens(output=5), "req")


def test_a_text_is_made_anew_only_when_something_it_says_may_have_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    transcript = tmp_path / "claude" / "projects" / PLACE.project / "one.jsonl"
    transcript.parent.mkdir(parents=True)
    monkeypatch.setenv("ONESEAT_HOME", str(tmp_path / "oneseat"))
    monkeypatch.setenv("CLAUDE_CONFIG_DIR", str(tmp_path / "claude"))
    monkeypatch.setenv("TZ", "UTC")
    made: list[str] = []

    def make(report: Report) -> str:
        made.append(report.view)
        return f"{report.view}: {report.total.tokens[1]} in {report.zone}"

    def write(amount: int) -> None:
        with transcript.open("ab") as file:
            file.write(
                encode(PEN.answer(PLACE, REPLY._replace(id=PEN.name("msg"), tokens=Tokens(output=amount))))
            )
        os.utime(transcript, (amount, amount))  # what was changed just now is looked at once more

    write(5)
    assert [read_text(Installation(), "daily", make, "1") for _ in range(3)] == ["daily: 5 in UTC"] * 3
    assert made == ["daily"]
    # Another view is not taken for it, nor is what an older oneseat wrote.
    assert read_text(Installation(), "models", make, "1") == "models: 5 in UTC"
    assert read_text(Installation(), "daily", make, "2") == "daily: 5 in UTC"
    assert made == ["daily", "models", "daily"]
    write(2)
    assert [read_text(Installation(), "daily", make, "1") for _ in range(2)] == ["daily: 7 in UTC"] * 2
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    assert [read_text(Installation(), "daily", make, "1") for _ in range(2)] == ["daily: 7 in Asia/Tokyo"] * 2
    assert made[3:] == ["daily", "daily"]
