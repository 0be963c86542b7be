"""The model that answers is not the one that was asked for: said while it happens, on stderr, and on the receipt."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from oneseat.testing import Simulator
from tests.e2e.driving import Seat, fake_seat

OTHER = "claude-opus-5-5"


def test_a_state_file_that_gives_a_name_another_meaning(
    tmp_path: Path, claude_path: Path, simulator: Simulator
) -> None:
    """The CLI itself says that `sonnet` stands for the other model: only the name that the answer carries tells."""
    seat = Seat(tmp_path, claude_path, simulator)
    seat.env["ONESEAT_SIMULATOR_LOGIN"] = "file"
    script = tmp_path / "claude"
    state = json.dumps({"env": {"ANTHROPIC_DEFAULT_SONNET_MODEL": OTHER}})
    script.write_text(
        f'#!/bin/sh\nprintf \'{state}\' > "$CLAUDE_CONFIG_DIR/.claude.json"\nexec {claude_path} "$@"\n'
    )
    script.chmod(0o700)
    seat.env["ONESEAT_CLAUDE_PATH"] = str(script)
    ended = seat.run("run", "hi", "--stream-json")
    receipt = ended.lines[-1]["receipt"]
    assert (ended.code, receipt["model"], receipt["requested_model"]) == (0, OTHER, "sonnet"), ended
    (said,) = [line for line in ended.lines if line["type"] == "model_fallback"]
    assert [said[name] for name in ("model", "fallback", "cause", "by")] == [
        *("sonnet", OTHER),
        *("not_requested", "provider"),
    ]
    text = seat.run("run", "hi")
    assert f"note: model `{OTHER}` answers instead of `sonnet`\n" in text.stderr
    assert f"{OTHER} instead of sonnet" in text.stderr
    assert text.stdout == "ok from the simulator\n"


@pytest.mark.parametrize("model", ["sonnet", "opus", "claude-haiku-4-5"])
def test_a_short_name_is_no_difference(model: str, tmp_path: Path) -> None:
    seat, _ = fake_seat(tmp_path, "ok")
    ended = seat.run("run", "hi", "--model", model, "--stream-json")
    assert ended.lines[-1]["receipt"]["requested_model"] is None
    assert "model_fallback" not in {line["type"] for line in ended.lines}
