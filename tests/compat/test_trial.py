"""Each assumption is missed when it does not hold. That all of them hold for the tested CLIs is shown in tests/e2e."""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

import psutil
import pytest

from oneseat.compat.checks import CHECKS, write_scripts
from oneseat.compat.driver import TrialContext
from oneseat.compat.trial import _perform, try_cli
from oneseat.contract.reports.compat import EXPECTED, Assumption
from oneseat.testing import Simulator, write_fake_cli

from .tampering import Tamper, write_tampered


async def test_a_cancelled_trial_leaves_no_process_and_no_file(
    tmp_path: Path, claude_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    cli = write_tampered(tmp_path / "claude", claude_path, Tamper())
    trial = asyncio.create_task(try_cli(str(cli.path)))
    while cli.starts < 3:  # noqa: ASYNC110 - it is another process that counts
        await asyncio.sleep(0)
    trial.cancel()
    with pytest.raises(asyncio.CancelledError):
        await trial
    assert psutil.Process().children(recursive=True) == []
    assert list(scratch.iterdir()) == []


def test_each_assumption_is_shown_by_one_check() -> None:
    shown = [name for check in CHECKS for name in check.shows]
    assert sorted([*shown, "version"]) == sorted(EXPECTED)


async def perform(executable: Path, name: str, folder: Path) -> Mapping[str, Assumption]:
    """The notes of the one check that shows ``name``, by assumption."""
    (check,) = [check for check in CHECKS if name in check.shows]
    with Simulator() as simulator:
        write_scripts(simulator)
        notes = await _perform(
            check, TrialContext(str(executable), dict(os.environ), folder, simulator), "check"
        )
    return {each.name: each for each in notes.all() if each.name in check.shows}


#: Changes of the real CLI, and exactly the assumptions of one check that they break: each change breaks one, and those that leave
#: each other alone are made at once, because every row starts the CLI.
BREAKS: dict[str, tuple[Tamper, set[str]]] = {
    "talks otherwise": (
        Tamper(
            env={"CLAUDE_CODE_DISABLE_ATTACHMENTS": None},
            options={"--tools=": "--tools=Read"},
            lines_in={"systemPrompt": "system", '" /usage"': '"/usage"'},
            lines_out={'"account"': '"user"', '"rate_limit_event"': '"limit_event"'},
            leaves_a_process=True,
        ),
        {"attachments", "no_tools", "system", "slash", "login", "lines", "nothing_left"},
    ),
    "sends the directory's notes": (
        Tamper(
            lines_in={"You are the canary of oneseat.": "the text of a CLAUDE.md that no request may carry"}
        ),
        {"memory", "system"},
    ),
    "hides keys and settings": (
        Tamper(lines_out={'"apiKeySource"': '"keySource"', "ANTHROPIC_CUSTOM_HEADERS": "X"}),
        {"key_seen", "settings_seen"},
    ),
    "hides tokens": (
        Tamper(lines_out={'"ANTHROPIC_AUTH_TOKEN"': '"CLAUDE_CODE_OAUTH_TOKEN"'}),
        {"token_seen"},
    ),
    "hides extra usage and failures": (
        Tamper(
            lines_out={
                '"isUsingOverage":true': '"isUsingOverage":false',
                '"is_error":true': '"is_error":false',
            }
        ),
        {"overage", "failure"},
    ),
    "retries for itself": (Tamper(env={"CLAUDE_CODE_MAX_RETRIES": "0"}), {"retries"}),
    "cuts lines": (Tamper(lines_out={"x" * 2048: "x"}), {"long_line"}),
    "writes unasked": (Tamper(options={"default": "acceptEdits"}), {"question"}),
    "knows no schema": (Tamper(lines_in={"jsonSchema": "schema"}), {"schema"}),
    "forgets and keeps no record": (
        Tamper(env={"CLAUDE_CONFIG_DIR": None}, options={"--resume": "--session-id"}),
        {"session", "resume"},
    ),
    "keeps its model, only says that it forgets, hides its servers": (
        Tamper(
            lines_in={'"haiku"': '"sonnet"', "rewind_conversation": "get_settings"},
            lines_out={'"effective"': '"rewound":true,"effective"', '"mcpServers"': '"servers"'},
        ),
        {"switch", "forget", "servers"},
    ),
}


@pytest.mark.parametrize("what", BREAKS)
async def test_a_cli_that_breaks_one_is_caught(what: str, tmp_path: Path, claude_path: Path) -> None:
    tamper, broken = BREAKS[what]
    cli = write_tampered(tmp_path / "claude", claude_path, tamper)
    (name, *_) = sorted(broken)
    seen = await perform(cli.path, name, tmp_path)
    assert {each.name for each in seen.values() if not each.holds} == broken, seen


async def test_a_cli_that_takes_the_directorys_settings_is_caught(tmp_path: Path, claude_path: Path) -> None:
    cli = write_tampered(
        tmp_path / "claude", claude_path, Tamper(options={"--setting-sources": "--setting-sources=project"})
    )
    seen = await perform(cli.path, "isolation", tmp_path)
    assert "address in a settings file" in seen["isolation"].seen
    assert "a hook in a settings file ran" in seen["isolation"].seen
    assert "ANTHROPIC_API_KEY" in seen["login"].seen
    assert not seen["isolation"].holds
    assert not seen["login"].holds


async def test_a_cli_that_does_not_know_an_option_is_quoted(tmp_path: Path, claude_path: Path) -> None:
    tamper = Tamper(options={"--strict-mcp-config": "--stricter-mcp"})
    cli = write_tampered(tmp_path / "claude", claude_path, tamper)
    seen = await perform(cli.path, "options", tmp_path)
    assert {each.name for each in seen.values() if not each.holds} == {*CHECKS[1].shows}
    assert "unknown option '--stricter-mcp'" in seen["options"].seen


@pytest.mark.parametrize(
    ("behaviour", "name", "said"),
    [
        ("dies-at-start", "login", "ended with exit code 1: cannot start: libfake.so is missing"),
        ("dies-at-initialize", "quiet", "ended with exit code 137"),
        ("half-line", "success", "ended with exit code 0"),
        ("ok", "attachments", "nothing was seen"),
    ],
)
async def test_a_cli_that_breaks_off_is_described(
    behaviour: str, name: str, said: str, tmp_path: Path
) -> None:
    cli = write_fake_cli(tmp_path / "claude", behaviour)
    seen = await perform(cli.path, name, tmp_path)
    assert not seen[name].holds
    assert said in seen[name].seen


async def test_a_program_that_cannot_be_started_breaks_everything(tmp_path: Path) -> None:
    cli = tmp_path / "claude"
    cli.write_text("no program\n")
    report = await try_cli(str(cli))
    assert report.version is None
    assert report.broken == report.assumptions
    assert report.complete
