"""What belongs to somebody else decides nothing, and nothing of ours is open to others."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from oneseat.contract.ownership import stranger, trusted_owners
from oneseat.testing import Behaviour
from tests.e2e.driving import Seat, fake_seat

SOMEBODY = 54_321
FOREIGN = (2, "usage.foreign_file")


@pytest.fixture
def seat(tmp_path: Path) -> Seat:
    seat, _ = fake_seat(tmp_path, Behaviour())
    (seat.home / "config").mkdir(parents=True)
    (seat.home / "config" / "oneseat.toml").write_text("[claude]\nmodel = 'opus'\n", "utf-8")
    (seat.cwd / "oneseat.toml").write_text("[ledger]\nkeep_text = true\n", "utf-8")
    return seat


def give_away(seat: Seat, path: Path) -> None:
    """Let ``path`` be another user's. Without the power to change owners, it leads to a file of root's instead, and the commands
    run where root is a stranger: in a user namespace.
    """
    if os.geteuid() == 0:
        os.chown(path, SOMEBODY, SOMEBODY)
        return
    seat.command = ["unshare", "--user", "--map-root-user", *seat.command]
    target = "/usr" if path.is_dir() else "/etc/passwd"
    path.rename(path.with_name(f"{path.name}.mine"))
    path.symlink_to(target)


@pytest.mark.parametrize(
    "place",
    [
        "work/oneseat.toml",
        "config/oneseat.toml",
        "config/policy-word.json",
        "config",
        "data",
        "data/runs.db",
        "log",
    ],
)
def test_what_belongs_to_somebody_else_is_named_and_not_obeyed(place: str, seat: Seat) -> None:
    path = seat.cwd / "oneseat.toml" if place.startswith("work/") else seat.home / place
    if place in ("data", "data/runs.db"):
        assert seat.run("run", "hello").code == 0
    elif not path.exists():
        path.write_text("{}", "utf-8")
    if place == "log":
        seat.env["ONESEAT_LOG_FILE"] = str(path)
    give_away(seat, path)
    ended = seat.run("run", "--json", "hello")
    assert (ended.code, ended.result["error"]["code"]) == FOREIGN
    assert str(path) in ended.result["error"]["message"]
    assert f"{path}`" in ended.result["error"]["hint"]


def test_the_doctor_and_the_check_say_so_too(seat: Seat) -> None:
    give_away(seat, seat.cwd / "oneseat.toml")
    checked = seat.run("config", "check", "--json")
    assert checked.code == 2
    assert "usage.foreign_file" in checked.stdout


def found(uid: int, links: int = 1, kind: int = stat.S_IFREG) -> os.stat_result:
    return cast("os.stat_result", SimpleNamespace(st_uid=uid, st_nlink=links, st_mode=kind | 0o600))


@pytest.mark.parametrize(
    ("entry", "target", "folder", "expected"),
    [
        (found(1000), found(1000), found(1001), False),
        (found(0), found(0), found(0), False),
        (found(1001), found(1000), found(1000), True),
        (found(1000), found(1001), found(1000), True),
        (found(1000, 2), found(1000, 2), found(1001), True),
        (found(1000, 2), found(1000, 2), found(1000), False),
        (found(1000, 3, stat.S_IFDIR), found(1000, 3, stat.S_IFDIR), found(1001), False),
    ],
)
def test_who_is_a_stranger(
    entry: os.stat_result, target: os.stat_result, folder: os.stat_result, expected: bool
) -> None:
    assert stranger(entry, target, folder, frozenset({0, 1000})) is expected


def test_with_sudo_the_user_behind_it_is_trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert trusted_owners({"SUDO_UID": "1000"}) == {0, 1000}
    monkeypatch.setattr(os, "geteuid", lambda: 1001)
    assert trusted_owners({"SUDO_UID": "1000"}) == {0, 1001}


def test_nothing_is_open_whatever_the_umask(seat: Seat) -> None:
    seat.env["ONESEAT_LOG_FILE"] = str(seat.home / "log")
    (seat.home / "config" / "oneseat.toml").chmod(0o600)
    for folder in (seat.home, seat.home / "config"):
        folder.chmod(0o700)
    seat.command = ["/bin/sh", "-c", 'umask 000; exec "$@"', "sh", *seat.command]
    assert seat.run("run", "hello").code == 0
    for arguments in (("usage",), ("policy", "confirm", "--help"), ("log",)):
        assert seat.run(*arguments).code == 0
    assert [path for path in seat.home.rglob("*") if path.stat().st_mode & 0o077] == []
