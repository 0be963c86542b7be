"""Small commands and spellings: help, config path and edit, short options, `--json` everywhere, completed names."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from tests.e2e.driving import Seat, fake_seat

SETTINGS = """
[projects.shop]
directory = "{cwd}"
[projects.site]
directory = "{cwd}"
[clients.acme]
work_of = "client"
[keys.work]
provider = "anthropic"
env = "WORK_KEY"
[roles.fast]
candidates = [{{ key = "work" }}]
"""


@pytest.fixture
def seat(tmp_path: Path) -> Seat:
    seat, _ = fake_seat(tmp_path, "ok")
    return seat


def settings(seat: Seat) -> Path:
    path = seat.home / "config" / "oneseat.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(SETTINGS.format(cwd=seat.cwd), "utf-8")
    return path


def editor(seat: Seat, program: str) -> None:
    file = seat.root / "my editor.py"
    file.write_text(f"import pathlib, sys\n{program}\n")
    seat.env["EDITOR"] = f"{sys.executable} '{file}'"
    seat.env.pop("VISUAL", None)


@pytest.mark.parametrize("names", [(), ("run",), ("config", "check"), ("policy", "confirm"), ("help",)])
def test_help_is_the_help_of_the_command(seat: Seat, names: tuple[str, ...]) -> None:
    assert seat.run("help", *names).stdout == seat.run(*names, "--help").stdout


@pytest.mark.parametrize("names", [("rnu",), ("config", "chek"), ("run", "fast")])
def test_help_of_what_is_not_there_is_an_error(seat: Seat, names: tuple[str, ...]) -> None:
    ended = seat.run("help", *names)
    assert (ended.code, ended.stdout) == (2, "")
    assert f"`{names[-1]}`" in ended.stderr


def test_config_path_is_there_before_the_file_is(seat: Seat) -> None:
    path = seat.home / "config" / "oneseat.toml"
    ended = seat.run("config", "path")
    assert (ended.code, ended.stdout) == (0, f"{path}\n")
    assert "oneseat init" in ended.stderr
    settings(seat)
    (seat.cwd / "oneseat.toml").write_text("")
    assert seat.run("config", "path", "--json").result == {
        "file": str(path),
        "exists": True,
        "project": str(seat.cwd / "oneseat.toml"),
    }


def test_config_edit_opens_the_editor_and_checks(seat: Seat) -> None:
    settings(seat)
    editor(
        seat,
        "path = pathlib.Path(sys.argv[1]); path.write_text(path.read_text() + '[run]\\ntimeout_s = 5\\n')",
    )
    assert seat.run("config", "edit").code == 0
    assert "timeout_s = 5" in (seat.home / "config" / "oneseat.toml").read_text()
    editor(seat, "pathlib.Path(sys.argv[1]).write_text('[run]\\ntimeout_s = -5\\n')")
    assert seat.run("config", "edit").code == 2


def test_config_edit_says_what_is_missing(seat: Seat) -> None:
    assert "oneseat init" in seat.run("config", "edit").stderr
    settings(seat)
    for command in ("no-such-editor", f"{sys.executable} -c 'raise SystemExit(3)'", "vi 'open"):
        seat.env["VISUAL"] = command
        ended = seat.run("config", "edit")
        assert (ended.code, ended.stdout) == (2, "")
        assert "code usage.editor" in ended.stderr


def test_short_options_are_those_with_long_names(seat: Seat) -> None:
    short = seat.run("run", "-m", "opus", "-s", "Be brief.", "--json", "hi").result
    events = seat.run("show", short["run_id"], "--json").result
    assert (short["status"], events["run"]["model"]) == ("completed", "claude-opus-fake")
    assert seat.run("route", "-m", "opus", "--json", "hi").result["candidates"][0]["model"] == "opus"


@pytest.mark.parametrize(
    ("typed", "keys"),
    [
        (("simulator", "--list", "--json"), ["scenarios"]),
        (("serve", "--stop", "--json"), ["pid"]),
        (("key", "set", "ci", "--provider", "openai", "--env", "CI", "--json"), None),
        (("key", "remove", "work", "--json"), None),
        (("init", "--yes", "--replace", "--json"), ["written", "copy", "doubt", "refused"]),
    ],
)
def test_what_prints_data_prints_json(seat: Seat, typed: tuple[str, ...], keys: list[str] | None) -> None:
    settings(seat)
    ended = seat.run(*typed)
    if keys is None:
        # A key in a variable is nobody's to store or to delete: the error has the form that was asked for.
        assert json.loads(ended.stdout)
        return
    assert (ended.code, list(ended.result)) == (0, keys)


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("run --project s", {"shop", "site"}),
        ("run --client a", {"acme"}),
        ("run --role f", {"fast"}),
        ("run --key w", {"work"}),
        ("run --provider claude", {"claude-cli"}),
        ("run --tools read,W", {"read,Write", "read,WebFetch", "read,WebSearch"}),
        ("chat -m op", {"opus"}),
        ("sessions end sh", {"shop"}),
        ("policy show R1", {"R1"}),
        ("key remove w", {"work"}),
    ],
)
def test_names_are_completed(seat: Seat, words: str, offered: set[str]) -> None:
    settings(seat)
    found = completed(seat, words)
    assert found >= offered if words.startswith("policy") is False else "R1" in found
    assert all(
        word.rpartition(",")[2].startswith(words.rsplit(maxsplit=1)[-1].rpartition(",")[2]) for word in found
    )


def test_runs_and_models_are_completed(seat: Seat) -> None:
    run = seat.run("run", "--json", "hi").result["run_id"]
    assert completed(seat, f"show {run[:3]}") == {run}
    assert "claude-opus-5" in completed(seat, "run --model claude-op")


def test_completion_is_silent_where_the_settings_are_wrong(seat: Seat) -> None:
    settings(seat).write_text("not toml")
    assert completed(seat, "run --project s") == set()


def completed(seat: Seat, words: str) -> set[str]:
    """What bash is offered for the last word."""
    seat.env |= {
        "_ONESEAT_COMPLETE": "bash_complete",
        "COMP_WORDS": f"oneseat {words}",
        "COMP_CWORD": str(len(words.split())),
    }
    ended = seat.run()
    for name in ("_ONESEAT_COMPLETE", "COMP_WORDS", "COMP_CWORD"):
        del seat.env[name]
    assert ended.stderr == ""
    return {line.partition(",")[2] for line in ended.stdout.splitlines() if line}
