"""oneseat's folders: where they are, that they are private, and what is said when they cannot serve."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest

from oneseat.contract.errors import ErrorInfo, UsageError
from oneseat.host.paths import PathFinding, Paths, home_error

ELSEWHERE = "Choose another folder: `export ONESEAT_HOME=/path/to/a/folder`"


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def refusal(home: Path) -> ErrorInfo:
    with pytest.raises(UsageError) as caught:
        Paths.find(str(home)).ensure()
    return caught.value.info


def test_a_home_holds_everything(tmp_path: Path) -> None:
    home = tmp_path / "a" / "home"
    paths = Paths.find(str(home))
    assert not home.exists()
    paths.ensure()
    assert (paths.config_dir, paths.data_dir, paths.state_dir) == (
        home / "config",
        home / "data",
        home / "state",
    )
    assert (paths.runs_db, paths.tmp_dir) == (home / "data" / "runs.db", home / "state" / "tmp")
    made = [tmp_path / "a", home, paths.config_dir, paths.data_dir, paths.state_dir, paths.tmp_dir]
    assert [mode(folder) for folder in made] == [0o700] * len(made)


def test_the_folders_are_private_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        Paths.find(str(tmp_path / "home")).ensure()
    finally:
        os.umask(before)
    assert mode(tmp_path / "home") == mode(tmp_path / "home" / "data") == 0o700


def test_making_sure_twice_changes_nothing(tmp_path: Path) -> None:
    paths = Paths.find(str(tmp_path))
    paths.ensure()
    paths.config_dir.chmod(0o750)
    paths.ensure()
    assert mode(paths.config_dir) == 0o750


def test_without_a_home_the_platforms_folders_are_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME"):
        monkeypatch.delenv(name, raising=False)
    paths = Paths.find(None)
    paths.ensure()
    folders = (paths.config_dir, paths.data_dir, paths.state_dir)
    assert all(folder.is_relative_to(tmp_path) and folder.name == "oneseat" for folder in folders)
    assert paths.home is None


def test_a_tilde_is_the_users_own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert Paths.find("~/seat").home == tmp_path / "seat"


@pytest.mark.parametrize(
    ("home", "shown"),
    [
        ("seat", "seat"),
        ("./seat", "./seat"),
        ("", ""),
        ("~no-such-user/seat", "~no-such-user/seat"),
        ("/a\0b", "/a\\x00b"),
    ],
)
def test_a_home_that_depends_on_the_working_directory_is_refused(home: str, shown: str) -> None:
    with pytest.raises(UsageError) as caught:
        Paths.find(home)
    assert caught.value.info == ErrorInfo(
        code="usage.bad_home",
        message=f"Not an absolute path: `{shown}`\n  oneseat's folders must not depend on the working directory",
        hint="Name one: `export ONESEAT_HOME=/path/to/a/folder`",
    )


def test_a_user_without_a_home_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody(uid: int) -> None:
        raise KeyError(uid)

    for name in ("HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("pwd.getpwuid", nobody)
    with pytest.raises(UsageError) as caught:
        Paths.find(None)
    assert caught.value.info == ErrorInfo(
        code="usage.bad_home",
        message="Not an absolute path: `~`\n  this user has no home folder",
        hint="Name one: `export ONESEAT_HOME=/path/to/a/folder`",
    )


def test_a_file_in_the_way_is_named(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    for home in (file, file / "home", file / "deep" / "home"):
        assert refusal(home) == ErrorInfo(
            code="usage.home_unwritable",
            message=f"oneseat's folder cannot be used: `{home}`\n  `{file}` is not a folder",
            hint=ELSEWHERE,
        )


def test_a_file_in_place_of_a_folder_inside_is_named(tmp_path: Path) -> None:
    (tmp_path / "data").touch()
    info = refusal(tmp_path)
    assert info.message.endswith(f"`{tmp_path / 'data'}` is not a folder")


def test_a_link_to_nothing_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "home").symlink_to(tmp_path / "gone")
    assert refusal(tmp_path / "home").message.endswith(f"`{tmp_path / 'home'}` is not a folder")


def test_a_path_that_is_too_long_is_refused(tmp_path: Path) -> None:
    info = refusal(tmp_path / ("x" * 300))
    assert info.code == "usage.home_unwritable"
    assert info.message.endswith("\n  file name too long")


def test_what_a_terminal_would_obey_is_shown_as_text(tmp_path: Path) -> None:
    (tmp_path / "\x1b[31m").touch()
    assert "\\x1b[31m` is not a folder" in refusal(tmp_path / "\x1b[31m").message


def test_a_folder_that_lost_its_permission_says_how_to_get_it_back(ordinary_user: Path) -> None:
    ordinary_user.chmod(0o500)
    assert refusal(ordinary_user) == ErrorInfo(
        code="usage.home_unwritable",
        message=f"oneseat's folder cannot be used: `{ordinary_user}`\n  it cannot be written by this user",
        hint=f"Make it writable: `chmod u+rwx {ordinary_user}`",
    )


def test_nobody_is_told_to_take_over_a_folder_of_somebody_else(ordinary_user: Path) -> None:
    assert refusal(Path("/")) == ErrorInfo(
        code="usage.home_unwritable",
        message="oneseat's folder cannot be used: `/`\n  it cannot be written by this user",
        hint=ELSEWHERE,
    )


def test_a_folder_that_cannot_be_made_there_says_to_choose_another(ordinary_user: Path) -> None:
    ordinary_user.chmod(0o500)
    assert refusal(ordinary_user / "home") == ErrorInfo(
        code="usage.home_unwritable",
        message=f"oneseat's folder cannot be used: `{ordinary_user / 'home'}`\n  permission denied",
        hint=ELSEWHERE,
    )


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_said_wherever_it_is_met(number: int, tmp_path: Path) -> None:
    path = tmp_path / "data dir" / "file"
    error = OSError(number, os.strerror(number))
    assert home_error(error, path).info == ErrorInfo(
        code="usage.home_full",
        message=f"No space left for oneseat's files: `{path}`\n  {os.strerror(number)}",
        hint=f"See what fills it: `df -h {tmp_path}`",
    )


def test_what_others_may_open_is_found_with_the_command_that_closes_it(tmp_path: Path) -> None:
    home = tmp_path / "home"
    paths = Paths.find(str(home))
    assert paths.findings() == ()
    paths.ensure()
    paths.runs_db.touch(mode=0o600)
    assert paths.findings() == ()
    home.chmod(0o755)
    paths.tmp_dir.chmod(0o701)
    paths.runs_db.chmod(0o640)
    assert paths.findings() == (
        PathFinding(path=str(home), mode=0o755, fix=f"chmod 700 {home}"),
        PathFinding(path=str(paths.tmp_dir), mode=0o701, fix=f"chmod 700 {paths.tmp_dir}"),
        PathFinding(path=str(paths.runs_db), mode=0o640, fix=f"chmod 600 {paths.runs_db}"),
    )
