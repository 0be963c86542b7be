"""A command that is forked from a process with everything loaded does what the installed one does."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from .driving import ONESEAT, fake_seat, preloaded


@pytest.mark.parametrize(
    ("arguments", "stdin", "code"),
    [
        (["run", "-"], "the café".encode(), 0),
        (["run", "-"], b"half of \xff", 2),
        (["run", "hello", "--cwd", "nowhere \udcff"], None, 2),
        (["log", "--json"], None, 0),
    ],
)
def test_it_is_as_the_installed_command(
    tmp_path: Path, arguments: list[str], stdin: bytes | None, code: int
) -> None:
    seat, _ = fake_seat(tmp_path, "ok")
    assert preloaded().serves(seat.env)
    forked = seat.run(*arguments, stdin=stdin)
    seat.load_anew()
    installed = seat.run(*arguments, stdin=stdin)
    assert (forked.code, forked.stdout) == (installed.code, installed.stdout)
    assert forked.code == code
    assert (code == 0) or forked.stderr == installed.stderr


def test_one_that_does_not_end_is_killed(tmp_path: Path) -> None:
    seat, _ = fake_seat(tmp_path, "ok")
    with pytest.raises(subprocess.TimeoutExpired):
        preloaded().run(
            [ONESEAT, "simulator"],
            env=seat.env,
            cwd=seat.cwd,
            stdin=None,
            stdout=subprocess.PIPE,
            timeout_s=0.5,
        )
    assert seat.run("--version").code == 0


def test_another_language_takes_an_interpreter_of_its_own(tmp_path: Path) -> None:
    seat, _ = fake_seat(tmp_path, "ok")
    seat.env["LC_ALL"] = "C"
    assert not preloaded().serves(seat.env)
