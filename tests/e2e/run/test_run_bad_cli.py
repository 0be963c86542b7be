"""`oneseat run` with an official CLI that is missing, old, dead, silent or garbled: told apart, and nothing left behind."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

import pytest

from oneseat.testing import FAKE_CLIS, Behaviour
from oneseat.testing.fake_cli import CloseStdout, Complain, Exit, IgnoreSignals, Print, Wait
from tests.e2e.driving import Seat, check_snapshot, fake_seat
from tests.e2e.refusals import refused


def test_no_cli_at_the_place_that_is_named(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    seat = Seat(tmp_path, tmp_path / "nowhere" / "claude")
    assert refused("cli-missing", seat, "run", "hello").code == 7
    seat.env["ONESEAT_CLAUDE_PATH"] = str(tmp_path / "folder")
    assert refused("cli-is-folder", seat, "run", "hello").code == 7


def test_no_cli_on_the_path(tmp_path: Path) -> None:
    seat = Seat(tmp_path, tmp_path)
    del seat.env["ONESEAT_CLAUDE_PATH"]
    seat.env["PATH"] = f"{tmp_path}/bin{os.pathsep}{tmp_path}/sbin"
    assert refused("cli-not-on-path", seat, "run", "hello").code == 7


def test_a_cli_that_is_no_program(tmp_path: Path) -> None:
    cli = tmp_path / "clau de"
    cli.write_bytes(b"\x00\x01 neither a script nor a program")
    seat = Seat(tmp_path, cli)
    assert refused("cli-not-executable", seat, "run", "hello").code == 7
    cli.chmod(0o700)
    assert refused("cli-not-a-program", seat, "run", "hello").code == 7


class Case(NamedTuple):
    """A CLI, and the exit code of a run with it. ``toml`` are settings that shorten what is waited for."""

    behaviour: Behaviour
    code: int
    toml: str = ""


def watchdog(**seconds: int) -> str:
    return "[watchdog]\n" + "".join(f"{name} = {value}\n" for name, value in seconds.items())


#: Half an answer as it streams, before any whole message.
HALF = Print(
    '{"type":"stream_event","event":{"type":"content_block_delta",'
    '"delta":{"type":"text_delta","text":"half an answer"}},"parent_tool_use_id":null}\n'
)
GARBAGE = Print("Segmentation fault? \x00\x1b[31m not JSON\n")
CASES = {
    "too-old": Case(FAKE_CLIS["old-version"], 7),
    "dies-at-start": Case(FAKE_CLIS["dies-at-start"], 7),
    "dies-at-initialize": Case(FAKE_CLIS["dies-at-initialize"], 7),
    "dies-after-the-prompt": Case(Behaviour(on_user=(HALF, Exit(0))), 7),
    "garbage-then-dies": Case(Behaviour(on_start=(GARBAGE, GARBAGE, Exit(3))), 7),
    "half-a-line": Case(FAKE_CLIS["half-line"], 7),
    "unknown-option": Case(Behaviour(on_start=(Complain("error: unknown option '--tools'\n"), Exit(1))), 7),
    "silent": Case(FAKE_CLIS["silent"], 6, watchdog(start_s=1)),
    "silent-after-the-prompt": Case(Behaviour(on_user=(HALF, Wait("stdin_closed"))), 6, watchdog(model_s=1)),
    "ignores-signals": Case(
        Behaviour(on_start=(IgnoreSignals(),), on_user=(HALF, Wait("forever"))), 6, watchdog(model_s=1)
    ),
    "closes-its-output": Case(Behaviour(on_user=(HALF, CloseStdout(), Wait("stdin_closed"))), 7),
    "never-exits": Case(FAKE_CLIS["never-exits"], 0, watchdog(after_result_s=0)),
    "leaves-a-tool": Case(FAKE_CLIS["grandchild"], 0),
    "garbage-between": Case(FAKE_CLIS["garbage-mid-answer"], 0),
    "signed-out": Case(FAKE_CLIS["signed-out"], 7),
}


@pytest.mark.parametrize("name", CASES)
def test_what_a_cli_does_wrong_has_a_name(name: str, tmp_path: Path) -> None:
    seat, _ = fake_seat(tmp_path, CASES[name].behaviour)
    (seat.cwd / "oneseat.toml").write_text(CASES[name].toml)
    ended = seat.run("run", "hello")
    seat.assert_nothing_left()
    assert ended.code == CASES[name].code, ended
    assert ("error: " in ended.stderr) == (ended.code != 0)
    check_snapshot(f"cli-{name}", seat, ended)
    (run,) = seat.runs()
    assert run["status"] == ("completed" if ended.code == 0 else "failed")


def test_what_is_printed_is_also_in_the_object(tmp_path: Path) -> None:
    seat, _ = fake_seat(tmp_path, Behaviour(on_user=(HALF, Exit(0))))
    ended = seat.run("run", "hello", "--json")
    result = ended.result
    assert (ended.code, result["status"], result["text"]) == (7, "failed", "half an answer")
    assert (result["error"]["code"], result["error"]["whose_turn"]) == ("provider.crashed", "provider")
    # What it used before it died, nobody knows.
    assert result["receipt"]["usage"]["input_tokens"] is None
    assert result["receipt"]["equivalent_cost_usd"] is None


def test_lines_nobody_knows_are_kept(tmp_path: Path) -> None:
    seat, _ = fake_seat(tmp_path, "garbage-mid-answer")
    events = seat.run("run", "hello", "--stream-json").lines
    assert [line["raw"] for line in events if line["type"] == "unknown"] == ["{not json}"]


def test_a_line_of_64_mib_is_read_to_its_end(tmp_path: Path) -> None:
    seat, _ = fake_seat(tmp_path, "long-line")
    (seat.cwd / "oneseat.toml").write_text("[ledger]\nkeep_text = false\n")
    ended = seat.run("run", "hello")
    assert (ended.code, ended.stdout) == (0, "ok from the fake\n"), ended.stderr


@pytest.mark.parametrize("token", ["sk-ant-oat01-" + "x" * 60 + "\n" + "x" * 35, "sk-ant-oat01-short"])
def test_a_token_that_was_not_pasted_whole_is_named_and_nothing_is_sent(token: str, tmp_path: Path) -> None:
    seat, cli = fake_seat(tmp_path, "ok")
    del seat.env["ONESEAT_SIMULATOR_URL"]
    seat.env["CLAUDE_CODE_OAUTH_TOKEN"] = token
    ended = seat.run("run", "hello", "--json")
    error, receipt = ended.result["error"], ended.result["receipt"]
    assert (ended.code, error["code"], error["whose_turn"]) == (7, "provider.bad_token", "you")
    assert (receipt["verdict"], receipt["attempts"], len(cli.starts())) == ("nothing_sent", 0, 1)
    assert "xxx" not in ended.stdout
