"""`oneseat run` with an official CLI that is missing, old, dead, silent or garbled: an exit code, a message, nothing left behind."""

from __future__ import annotations

from pathlib import Path

import psutil
import pytest

from oneseat.testing import Behaviour, FAKE_CLIS

from .driving import Done, Seat, check_snapshot, fake_seat
from .test_run_bad_input import refused


def test_missing(tmp_path: Path) -> None:
    seat = Seat(tmp_path, tmp_path / "nowhere" / "claude")
    assert refused("cli-missing", seat, "run", "hello").code == 7
    del seat.env["ONESEAT_CLAUDE_PATH"]
    seat.env["PATH"] = f"{tmp_path}/bin:{tmp_path}/sbin"
    assert refused("cli-not-on-path", seat, "run", "hello").code == 7


def test_not_executable(tmp_path: Path) -> None:
    seat, cli = fake_seat(tmp_path, "ok")
    cli.path.chmod(0o600)
    assert refused("cli-not-executable", seat, "run", "hello").code == 7


def test_not_a_program(tmp_path: Path) -> None:
    cli = tmp_path / "claude"
    cli.write_bytes(b"\x00\x01 not a program")
    cli.chmod(0o700)
    assert refused("cli-not-a-program", Seat(tmp_path, cli), "run", "hello").code == 7


def test_dir(tmp_path: Path) -> None:
    cli = tmp_path / "claude"
    cli.mkdir()
    assert refused("cli-dir", Seat(tmp_path, cli), "run", "hello").code == 7


E_ = {
    "old-version": 7,
    "dies-at-start": 7,
    "dies-at-initialize": 7,
    "dies-mid-answer": 7,
    "garbage": 7,
    "garbage-mid-answer": 0,
    "half-line": 7,
    "silent": 6,
    "silent-forever": 6,
    "silent-after-prompt": 6,
    "api-key": 3,
    "cloud": 3,
    "signed-out": 7,
    "never-exits": 0,
    "closes-stdout": 7,
    "ignores-signals": 6,
    "grandchild": 0,
    "long-line": 0,
}


@pytest.mark.parametrize("name", E_)
def test_x(name, tmp_path):
    seat, cli = fake_seat(tmp_path, name)
    seat.home.joinpath("config").mkdir(parents=True)
    seat.home.joinpath("config/oneseat.toml").write_text(
        "[watchdog]\nstart_s = 1\nmodel_s = 1\nafter_result_s = 1\n"
    )
    import time

    t = time.time()
    ended = seat.run("run", "hello")
    print(name, time.time() - t)
    print(ended.code, ended.stdout[:200])
    print(ended.stderr)
    seat.assert_nothing_left()
    assert ended.code == E_[name]
