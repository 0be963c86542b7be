"""The log: what it says of a run, and what no handler ever sees."""

from __future__ import annotations

import logging
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from oneseat.rules.redaction import Redactor, redact
from oneseat.telemetry.records import LOGGER, EventLog, has_handlers
from oneseat.testing import Answer, Simulator, Text, ToolRound, ToolUse, write_fake_cli

from .looking_on import environment, run_with

#: Made up, in pieces, so that no file holds anything that looks like one.
PLANTED = "sk-ant-" + "api03-made-up"


def said(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    """The fields of every record."""
    return [record.__dict__["oneseat"] for record in caplog.records if record.name == "oneseat"]


async def test_a_run_says_what_it_does_and_never_what_was_asked_or_answered(
    tmp_path: Path, claude_path: Path, simulator: Simulator, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "oneseat")
    call = ToolUse("Write", {"file_path": str(tmp_path / "x.txt"), "content": "a secret plan"})
    simulator.script("write", [ToolRound(call=call, answer=Answer(content=(Text("the answer"),)))])
    env = environment(tmp_path, claude_path, simulator.url("write"))
    result = await run_with(env, [], tools="Write")
    records = said(caplog)
    names = [each["event"] for each in records]
    assert [name for name in names if name != "limit"] == [
        "run_began", "gate_cleared", "sent", "tool_called", "tool_denied", "tool_returned", "run_ended"
    ]  # fmt: skip
    assert {each["run_id"] for each in records} == {result.run_id}
    assert records[-1]["wallet"] == "simulator"
    assert (records[-1]["verdict"], records[-1]["code"]) == ("verified", None)
    assert [record.levelname for record in caplog.records if record.levelno > logging.INFO] == ["WARNING"]
    everything = "\n".join(f"{record.getMessage()} {record.__dict__}" for record in caplog.records)
    assert "hello" not in everything
    assert "the answer" not in everything
    assert "a secret plan" not in everything


async def test_a_refusal_is_a_warning_with_its_code(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    result = await run_with(environment(tmp_path, write_fake_cli(tmp_path / "claude", "api-key").path), [])
    assert result.status == "refused"
    # The level that a program gets without asking for more.
    (record,) = [each for each in caplog.records if each.name == "oneseat"]
    assert record.levelno == logging.WARNING
    assert record.__dict__["oneseat"]["code"].startswith("billing.")


def test_a_record_is_clean_before_any_handler_sees_it(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "oneseat")
    records = EventLog(Redactor(["known-by-its-value"]).redact)
    records.write(
        logging.INFO, "tried", f"100 % of {PLANTED} and known-by-its-value", field=f"x {PLANTED}", count=3
    )
    (record,) = caplog.records
    assert record.getMessage() == "100 % of [redacted:anthropic-key] and [redacted:known]"
    assert record.args == ()
    fields = record.__dict__["oneseat"]
    assert fields == {"event": "tried", "field": "x [redacted:anthropic-key]", "count": 3}
    assert PLANTED not in str(record.__dict__)


def test_everything_that_is_logged_is_made_in_one_place() -> None:
    product = Path(sys.modules["oneseat"].__file__ or "").parent
    logging_files = [path.name for path in product.rglob("*.py") if "getLogger" in path.read_text("utf-8")]
    assert logging_files == ["records.py"]


def test_a_library_is_silent_until_it_is_listened_to() -> None:
    program = (
        "import logging; from oneseat.telemetry.records import EventLog, has_handlers as s;"
        "EventLog(str).write(40, 'x', 'loud'); assert not s();"
        "logging.basicConfig(); assert s(); logging.getLogger('oneseat').propagate = False; assert not s()"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")


def test_who_listens_is_seen_by_its_handlers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LOGGER, "propagate", False)
    assert not has_handlers()
    handler = logging.StreamHandler()
    LOGGER.addHandler(handler)
    assert has_handlers()
    LOGGER.removeHandler(handler)


def test_a_record_below_the_level_costs_no_redaction(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LOGGER, "level", logging.ERROR)
    monkeypatch.setattr(LOGGER, "_cache", {})
    redacted: list[str] = []

    def clean(text: str) -> str:
        redacted.append(text)
        return redact(text)

    EventLog(clean).write(logging.INFO, "quiet", "nobody asked")
    assert redacted == []
