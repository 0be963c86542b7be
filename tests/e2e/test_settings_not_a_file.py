"""Settings that are not a regular file: no command goes on as if there were none, or without the budgets in them."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.driving import Seat, fake_seat

Odd = Callable[[Path], None]


def _dangling(path: Path) -> None:
    path.symlink_to(path.with_name("gone.toml"))


def _loop(path: Path) -> None:
    path.symlink_to(path)


def _folder(path: Path) -> None:
    path.mkdir()


def _pipe(path: Path) -> None:
    os.mkfifo(path, 0o600)


def _link_to_pipe(path: Path) -> None:
    os.mkfifo(path.with_name("pipe"), 0o600)
    path.symlink_to(path.with_name("pipe"))


def _device(path: Path) -> None:
    path.symlink_to("/dev/null")


def _socket(path: Path) -> None:
    # Not by binding one: the path would be too long.
    os.mknod(path, stat.S_IFSOCK | 0o600)


def _folder_is_gone(path: Path) -> None:
    path.parent.rmdir()
    path.parent.symlink_to(path.parent.with_name("gone"))


ODD = (_dangling, _loop, _folder, _pipe, _link_to_pipe, _device, _socket, _folder_is_gone)
COMMANDS = (
    ("run", "say ok", "--json"),
    ("config", "check", "--json"),
    ("doctor", "--json"),
    ("limits", "--json"),
    ("init", "--yes"),
    ("init", "--yes", "--replace"),
)


@pytest.fixture
def seat(tmp_path: Path) -> Seat:
    seat, _ = fake_seat(tmp_path, "ok")
    (seat.home / "config").mkdir(parents=True)
    return seat


@pytest.mark.parametrize("make", ODD)
def test_settings_of_another_kind_are_refused_by_every_command(seat: Seat, make: Odd) -> None:
    path = seat.home / "config" / "oneseat.toml"
    make(path)
    before = os.lstat(path.parent), os.path.lexists(path)
    for command in COMMANDS:
        refused = seat.run(*command)
        assert refused.code == 2, refused
        assert str(path) in refused.stdout + refused.stderr, refused
    assert (os.lstat(path.parent).st_ino, os.path.lexists(path)) == (before[0].st_ino, before[1])


def test_a_link_to_settings_is_followed(seat: Seat, tmp_path: Path) -> None:
    elsewhere = tmp_path / "mine.toml"
    elsewhere.write_text("[run]\ntimeout_s = 55.0\n", "utf-8")
    (seat.home / "config" / "oneseat.toml").symlink_to(elsewhere)
    checked = seat.run("config", "check", "--json")
    assert (checked.code, seat.run("run", "say ok").code) == (0, 0)


@pytest.mark.parametrize("make", [_dangling, _pipe, _device])
def test_so_are_those_of_a_project(seat: Seat, make: Odd) -> None:
    path = seat.cwd / "oneseat.toml"
    make(path)
    for command in (("run", "say ok", "--json"), ("config", "check", "--json")):
        refused = seat.run(*command)
        assert refused.code == 2, refused
        assert str(path) in refused.stdout + refused.stderr


@pytest.mark.parametrize("make", ODD)
def test_usage_never_waits_for_them(seat: Seat, make: Odd) -> None:
    make(seat.home / "config" / "oneseat.toml")
    assert seat.run("usage").code in {0, 2}


@pytest.mark.parametrize("name", ["policy-pack.json", "policy-word.json"])
@pytest.mark.parametrize("make", [_dangling, _loop, _folder, _pipe, _device])
def test_policy_files_of_another_kind_are_refused_too(seat: Seat, make: Odd, name: str) -> None:
    make(seat.home / "config" / name)
    refused = seat.run("run", "say ok", "--json")
    assert (refused.code, refused.result["error"]["code"]) == (2, "usage.bad_policy_pack")
