"""``oneseat config``: what is wrong in the settings, and what is in force."""

from __future__ import annotations

from pathlib import Path

import pytest

from oneseat.testing import Behaviour

from .driving import Seat, fake_seat


@pytest.fixture
def seat(tmp_path: Path) -> Seat:
    return fake_seat(tmp_path, Behaviour())[0]


def own_file(seat: Seat, text: str) -> Path:
    path = seat.home / "config" / "oneseat.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
    return path


def test_all_findings_are_told_with_their_places(seat: Seat) -> None:
    path = own_file(seat, "[claude]\nmodle = 'x'\n[run]\n  timeout_s = 0\n")
    ended = seat.run("config", "check")
    assert (ended.code, ended.stderr) == (2, "")
    assert ended.stdout == (
        f"{path}:2:1: Unknown setting: `claude.modle`\n  set in `{path}`\n"
        "  hint: Write `claude.model` instead\n"
        f"{path}:4:3: Setting cannot be used: `run.timeout_s = 0`\n"
        f"  set in `{path}`; expected a number of seconds from 1 to 604800\n"
        "2 findings\n"
    )
    as_json = seat.run("config", "check", "--json")
    assert as_json.code == 2
    assert as_json.result["files"] == [str(path)]
    assert as_json.result["findings"][1] == {
        "file": str(path),
        "line": 4,
        "column": 3,
        "code": "usage.bad_setting",
        "message": "Setting cannot be used: `run.timeout_s = 0`\n"
        f"  set in `{path}`; expected a number of seconds from 1 to 604800",
        "hint": None,
    }
    shown = seat.run("config", "show")
    assert shown.code == 2
    assert shown.stderr == "note: no run can start, see `oneseat config check`: 2 findings\n"


def test_a_run_still_stops_at_the_first_of_them(seat: Seat) -> None:
    own_file(seat, "[claude]\nmodle = 'x'\nmax_retries = 99\n")
    ended = seat.run("run", "go", "--json")
    assert ended.code == 2
    assert ended.result["error"]["code"] == "usage.unknown_setting"


def test_what_is_in_force_is_told_with_its_source(seat: Seat) -> None:
    path = own_file(
        seat, "[run]\ntimeout_s = 60\n[keys.work]\nprovider = 'openai'\nenv = 'OPENAI_KEY_OF_MINE'\n"
    )
    checked = seat.run("config", "check")
    assert checked.code == 0
    assert checked.stdout.startswith(f"nothing wrong in {path}\n")
    rows = [line.split(maxsplit=2) for line in checked.stdout.splitlines()[1:]]
    assert ["run.timeout_s", "60", str(path)] in rows
    assert ["keys.work.provider", '"openai"', str(path)] in rows
    assert "default" not in checked.stdout
    shown = seat.run("config", "show", "--json")
    assert shown.code == 0
    in_force = {each["name"]: (each["value"], each["source"]) for each in shown.result["settings"]}
    assert in_force["run.timeout_s"] == (60.0, str(path))
    assert in_force["session.max_messages"] == (8, "default")
    assert in_force["keys.work.env"] == ("OPENAI_KEY_OF_MINE", str(path))


def test_without_a_file_the_defaults_hold(seat: Seat) -> None:
    ended = seat.run("config", "check")
    assert ended.code == 0
    assert ended.stdout.startswith("no settings file: defaults apply\n")
