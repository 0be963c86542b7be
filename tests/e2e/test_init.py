"""``oneseat init``, as a person goes through it and as a script does: on a real terminal, with the real CLI and the simulator."""

from __future__ import annotations

import stat
import tomllib
from pathlib import Path
from typing import Any

import pytest

from oneseat.host.settings_file import keep_copy
from oneseat.testing import Simulator

from .driving import Seat, fake_seat
from .payers.test_keys import KEY, assert_nowhere, choose
from .terminal import Terminal

HUMANS = "How many people use oneseat here [1]: "
HOST = "Whose machine is this (owner_machine, owner_vps, rented_runner, customer_machine) [owner_machine]: "
BEGIN = "usage window is this full (percent, 0: never) [0]: "
FALL_BACK = "May a run use a paid API key when your plan cannot serve it? [y/N]: "
WRITE = "Write this to "


@pytest.fixture
def real_seat(tmp_path: Path, claude_path: Path, simulator: Simulator) -> Seat:
    """A seat of the real CLI that is ready, with a keyring."""
    return with_keyring(Seat(tmp_path, claude_path, simulator), tmp_path)


@pytest.fixture
def seat(tmp_path: Path) -> Seat:
    """The same with a CLI that is there at once: what is asked and written is no matter of the CLI."""
    return with_keyring(fake_seat(tmp_path, "ok")[0], tmp_path)


def with_keyring(seat: Seat, tmp_path: Path) -> Seat:
    choose(seat, "InFile")
    seat.env["TEST_KEYRING"] = str(tmp_path / "keyring.json")
    return seat


def settings(seat: Seat) -> Path:
    return seat.home / "config" / "oneseat.toml"


def owner(terminal: Terminal) -> None:
    """One person on a machine of their own."""
    terminal.answer(HUMANS, "")
    terminal.answer(HOST, "")


def written(seat: Seat) -> dict[str, Any]:
    return tomllib.loads(settings(seat).read_text("utf-8"))


def test_a_person_who_takes_every_default_has_a_seat_and_no_key(real_seat: Seat) -> None:
    seat = real_seat
    with Terminal(seat, "init") as terminal:
        found = terminal.read_until(HUMANS)
        terminal.type("")
        terminal.answer(HOST, "")
        terminal.answer(BEGIN, "")
        terminal.answer(FALL_BACK, "")
        terminal.answer("[Y/n]: ", "")
        ended = terminal.finish()
    assert ended.code == 0
    assert "  would pay          simulator\r\n" in found
    assert "official codex CLI   not found\r\n" in found
    assert "official claude CLI  " in found
    assert "(2.1." in found
    assert written(seat) == {
        "policy": {"humans": 1},
        "seat": {"provider": "claude-cli"},
        "fallback": {},
        "limits": {},
        "budget": {},
    }
    assert stat.S_IMODE(settings(seat).stat().st_mode) == 0o600
    assert ended.stdout.endswith(
        f"written: {settings(seat)}\n\nnext\n"
        '  see which wallet would pay: `oneseat doctor`\n  run something: `oneseat run "say hello"`\n'
    )
    assert seat.run("config", "check").code == 0
    assert seat.run("run", "go", "--quiet").stdout == "ok from the simulator\n"


def test_a_person_with_a_key_types_it_without_seeing_it(seat: Seat) -> None:
    with Terminal(seat, "init") as terminal:
        owner(terminal)
        terminal.answer(BEGIN, "80")
        terminal.answer(FALL_BACK, "y")
        terminal.answer("Whose API (anthropic, openai, gemini, openai-compatible) [anthropic]: ", "")
        terminal.answer("A name for the key [anthropic]: ", "no name")
        terminal.answer("A name for the key [anthropic]: ", "work")
        terminal.answer("Where is the key (keyring, variable, file) [keyring]: ", "")
        terminal.answer("Does it use API credits that your plan includes? [y/N]: ", "y")
        terminal.answer("Budget of one run with it, in US dollars [1.0]: ", "9")
        terminal.answer("Budget of a day with it, in US dollars [5.0]: ", "")
        terminal.answer("Budget of a month with it, in US dollars [50.0]: ", "")
        terminal.answer("Budget of one run with it, in US dollars [1.0]: ", "0.5")
        terminal.answer("Budget of a day with it, in US dollars [5.0]: ", "nan")
        terminal.answer("Budget of a day with it, in US dollars [5.0]: ", "5")
        terminal.answer("Budget of a month with it, in US dollars [50.0]: ", "")
        terminal.answer("Enter to add it later): ", "sk-ant-oat01-made-up-token")
        terminal.answer("Enter to add it later): ", KEY)
        terminal.answer("[Y/n]: ", "")
        ended = terminal.finish()
    assert ended.code == 0
    assert "made-up" not in ended.stdout
    assert "A subscription login is not an API key" in ended.stdout
    assert written(seat)["fallback"] == {"to": ["work"]}
    assert written(seat)["keys"] == {
        "work": {
            "provider": "anthropic",
            "credits": True,
            "run_budget_usd": 0.5,
            "day_budget_usd": 5.0,
            "month_budget_usd": 50.0,
        }
    }
    assert written(seat)["limits"] == {"pause_at_percent": 80}
    assert [row["present"] for row in seat.run("key", "list", "--json").result["keys"]] == [True]
    assert_nowhere(seat)


def test_without_a_keyring_the_other_places_are_offered(seat: Seat) -> None:
    del seat.env["PYTHON_KEYRING_BACKEND"]
    with Terminal(seat, "init") as terminal:
        owner(terminal)
        terminal.answer(BEGIN, "")
        terminal.answer(FALL_BACK, "y")
        terminal.answer("[anthropic]: ", "gemini")
        terminal.answer("A name for the key [gemini]: ", "")
        terminal.read_until("this session has no keyring service")
        terminal.answer("Where is the key (keyring, variable, file) [variable]: ", "")
        terminal.answer("The variable [MY_GEMINI_KEY]: ", "ONESEAT_KEY")
        terminal.answer("The variable [MY_GEMINI_KEY]: ", "")
        for _ in range(3):
            terminal.answer("with it, in US dollars", "")
        terminal.answer("[Y/n]: ", "")
        ended = terminal.finish()
    assert ended.code == 0
    assert written(seat)["keys"]["gemini"]["env"] == "MY_GEMINI_KEY"
    assert "  set the variable `MY_GEMINI_KEY` where your scripts run\n" in ended.stdout


def test_a_model_on_this_machine_needs_neither_key_nor_budget(seat: Seat) -> None:
    with Terminal(seat, "init") as terminal:
        owner(terminal)
        terminal.answer(BEGIN, "")
        terminal.answer(FALL_BACK, "y")
        terminal.answer("[anthropic]: ", "openai-compatible")
        terminal.answer("A name for the key [openai-compatible]: ", "local")
        terminal.answer("Its address [http://127.0.0.1:11434/v1]: ", "http://192.168.0.2/v1")
        terminal.answer("Its address [http://127.0.0.1:11434/v1]: ", "")
        terminal.answer("Does this address charge anything? [y/N]: ", "")
        terminal.answer("[Y/n]: ", "")
        assert terminal.finish().code == 0
    assert written(seat)["keys"] == {
        "local": {
            "provider": "openai-compatible",
            "base_url": "http://127.0.0.1:11434/v1",
            "charges": False,
        }
    }


@pytest.mark.parametrize("answers", range(3))
def test_ctrl_c_leaves_nothing_behind(answers: int, seat: Seat) -> None:
    questions = [(HUMANS, ""), (HOST, ""), (BEGIN, "")]
    with Terminal(seat, "init") as terminal:
        for question, answer in questions[:answers]:
            terminal.answer(question, answer)
        terminal.interrupt(questions[answers][0])
        ended = terminal.finish()
    assert ended.code == 130
    assert not settings(seat).exists()
    assert not Path(seat.env["TEST_KEYRING"]).exists()


def test_ctrl_c_and_a_no_at_the_last_question_leave_the_settings_as_they_were(seat: Seat) -> None:
    settings(seat).parent.mkdir(parents=True)
    settings(seat).write_text("# mine\n", "utf-8")
    for last in (None, "n"):
        with Terminal(seat, "init") as terminal:
            owner(terminal)
            terminal.answer(BEGIN, "")
            terminal.answer(FALL_BACK, "")
            question = "A copy is kept [y/N]: "
            terminal.interrupt(question) if last is None else terminal.answer(question, last)
            assert terminal.finish().code == 130
        assert [path.name for path in settings(seat).parent.iterdir()] == ["oneseat.toml"]
        assert settings(seat).read_text("utf-8") == "# mine\n"


def test_settings_that_are_replaced_are_kept_as_a_copy(seat: Seat) -> None:
    settings(seat).parent.mkdir(parents=True)
    settings(seat).write_text("# mine\n[run]\ntimeout_s = 60\n", "utf-8")
    refused = seat.run("init", "--yes")
    assert refused.code == 2
    assert f"Settings exist already: `{settings(seat)}`" in refused.stderr
    assert settings(seat).read_text("utf-8").startswith("# mine\n")
    ended = seat.run("init", "--yes", "--replace")
    assert ended.code == 0
    (copy,) = (path for path in settings(seat).parent.iterdir() if path != settings(seat))
    assert copy.read_text("utf-8") == "# mine\n[run]\ntimeout_s = 60\n"
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    assert f"copy of the old settings: {copy}\n" in ended.stdout
    assert "timeout_s" not in settings(seat).read_text("utf-8")


def test_no_copy_takes_the_place_of_another_one(tmp_path: Path) -> None:
    for text in ("first", "second"):
        (tmp_path / "oneseat.toml").write_text(text, "utf-8")
        keep_copy(tmp_path / "oneseat.toml", ".20261121-120000")
    copies = sorted(tmp_path.glob("oneseat.toml.*"))
    assert [copy.read_text("utf-8") for copy in copies] == ["first", "second"]


def test_with_two_seats_the_person_says_which_serves_and_which_comes_second(
    seat: Seat, codex_path: Path
) -> None:
    seat.env["ONESEAT_CODEX_PATH"] = str(codex_path)
    with Terminal(seat, "init") as terminal:
        found = terminal.read_until(HUMANS)
        assert f"official codex CLI   {codex_path} (0." in found
        terminal.type("")
        terminal.answer(HOST, "")
        terminal.read_until("(claude-cli, codex-cli) [claude-cli]: ")
        terminal.type("codex-cli")
        terminal.answer("May a run use claude-cli when that plan cannot serve it? [y/N]: ", "y")
        terminal.answer(BEGIN, "")
        terminal.answer(FALL_BACK, "")
        terminal.answer("[Y/n]: ", "")
        assert terminal.finish().code == 0
    assert written(seat)["seat"] == {"provider": "codex-cli"}
    assert written(seat)["fallback"] == {"to": ["claude-cli"]}
    assert seat.run("config", "check").code == 0


def test_of_several_people_on_a_server_nothing_goes_to_the_plan(seat: Seat) -> None:
    with Terminal(seat, "init") as terminal:
        terminal.answer(HUMANS, "0")
        terminal.answer(HUMANS, "3")
        terminal.read_until("a plan is for one person: all runs will use an API key")
        terminal.answer(HOST, "owner_vps")
        terminal.answer(BEGIN, "")
        terminal.answer(FALL_BACK.replace("y/N", "Y/n"), "n")
        terminal.answer("[Y/n]: ", "")
        assert terminal.finish().code == 0
    assert written(seat)["policy"] == {"humans": 3, "host": "owner_vps"}
    refused = seat.run("run", "go", "--json")
    assert (refused.code, refused.result["receipt"]["verdict"]) == (3, "nothing_sent")


def test_where_only_the_second_seat_is_ready_it_serves(real_seat: Seat, codex_path: Path) -> None:
    seat = real_seat
    seat.env |= {
        "ONESEAT_CODEX_PATH": str(codex_path),
        "ONESEAT_CLAUDE_PATH": str(seat.root / "nothing"),
    }
    ended = seat.run("init", "--yes")
    assert ended.code == 0
    assert "official claude CLI  not found\n" in ended.stdout
    assert written(seat)["seat"] == {"provider": "codex-cli"}


def test_a_script_says_everything_by_options(seat: Seat) -> None:
    ended = seat.run(
        *("init", "--yes", "--key", "openai", "--key-name", "ci", "--key-env", "CI_KEY"),
        *("--day-budget", "0.5", "--pause-at", "70", "--host", "rented_runner", "--plan", "ultra"),
    )
    assert (ended.code, ended.stderr) == (0, "")
    assert written(seat) == {
        "policy": {"humans": 1, "host": "rented_runner", "plan": "ultra"},
        "seat": {"provider": "claude-cli"},
        "fallback": {"to": ["ci"]},
        "keys": {
            "ci": {
                "provider": "openai",
                "env": "CI_KEY",
                "run_budget_usd": 0.5,
                "day_budget_usd": 0.5,
                "month_budget_usd": 50.0,
            }
        },
        "limits": {"pause_at_percent": 70},
        "budget": {},
    }
    assert seat.run("config", "check").code == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "`oneseat init` needs a terminal to ask questions"),
        (
            ["--yes", "--key", "openai-compatible"],
            "an `openai-compatible` provider has no address of its own",
        ),
        (["--yes", "--key", "openai", "--key-env", "A", "--key-file", "/k"], "it has both `env` and `file`"),
        (["--yes", "--key", "openai", "--free"], "with `charges = false` it needs a `base_url`"),
        (["--yes", "--key", "openai", "--day-budget", "-1"], "Invalid value for `day_budget_usd`: `-1.0`"),
        (["--yes", "--pause-at", "0"], "--pause-at"),
        (
            ["--yes", "--key", "openai", "--key-env", "K", "--day-budget", "5", "--month-budget", "3"],
            "`day_budget_usd = 5` is more than `month_budget_usd = 3` allows in all",
        ),
        # A budget that no key keeps would be believed in.
        (["--yes", "--day-budget", "5", "--key-env", "K"], "without `--key`: `--key-env`, `--day-budget`"),
        (["--yes", "--key", "openai", "--key-name", KEY], "An API key was given as a name"),
    ],
)
def test_what_does_not_fit_is_refused_before_anything_is_written(
    arguments: list[str], words: str, seat: Seat
) -> None:
    ended = seat.run("init", *arguments)
    assert (ended.code, words in ended.stderr) == (2, True), ended
    assert KEY not in ended.stderr
    assert not settings(seat).exists()


def test_a_machine_that_is_not_ready_is_set_up_and_told_what_is_missing(seat: Seat) -> None:
    seat.env["ONESEAT_CLAUDE_PATH"] = str(seat.root / "nothing")
    ended = seat.run("init", "--yes")
    assert ended.code == 0
    assert "official claude CLI  not found\n" in ended.stdout
    assert "\nnext\n  Name the program: `export ONESEAT_CLAUDE_PATH=/path/to/claude`\n" in ended.stdout
    assert settings(seat).exists()
