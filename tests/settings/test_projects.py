"""The ``[projects.NAME]`` tables: the owner's only, checked like every setting."""

from __future__ import annotations

from pathlib import Path

import pytest

from oneseat.contract.errors import ErrorInfo, UsageError
from oneseat.settings import FILE_NAME, PROJECTS, Project, Settings, load, read_named, reference_rows

WHOLE = """
[projects.shop]
directory = "~/shop"
tools = "read,Bash"
permission_mode = "dontAsk"
add_dirs = ["/srv/data", "~/more"]
system = '''
Two lines.
'''
model = "haiku"
max_budget_usd = 0.5
max_turns = 9
day_budget_usd = 2
[projects."a.b"]
directory = "/srv/a"
system_file = "~/instructions.md"
"""


def written(tmp_path: Path, text: str) -> Path:
    (tmp_path / FILE_NAME).write_text(text, "utf-8")
    return tmp_path


def refusal(tmp_path: Path, text: str) -> ErrorInfo:
    with pytest.raises(UsageError) as caught:
        read_named(PROJECTS, written(tmp_path, text))
    return caught.value.info


def test_every_key_of_a_project_is_read(tmp_path: Path) -> None:
    folder = written(tmp_path, WHOLE)
    assert read_named(PROJECTS, folder) == {
        "shop": Project(
            name="shop",
            directory="~/shop",
            tools="read,Bash",
            permission_mode="dontAsk",
            add_dirs=("/srv/data", "~/more"),
            system="Two lines.\n",
            model="haiku",
            max_budget_usd=0.5,
            max_turns=9,
            day_budget_usd=2.0,
        ),
        "a.b": Project(name="a.b", directory="/srv/a", system_file="~/instructions.md"),
    }
    assert load({}, tmp_path, folder) == Settings()


def test_without_a_file_there_are_no_projects(tmp_path: Path) -> None:
    assert read_named(PROJECTS, tmp_path) == {}


@pytest.mark.parametrize(
    ("text", "code", "named"),
    [
        ("[projects.shop]\ntools = 'read'", "usage.bad_setting", "projects.shop"),
        (
            "[projects.shop]\ndirectory = '/a'\nsystem = 'x'\nsystem_file = '/y'",
            "usage.bad_setting",
            "projects.shop",
        ),
        ("[projects.shop]\ndirectory = 'shop'", "usage.bad_setting", "projects.shop.directory"),
        (
            "[projects.shop]\ndirectory = '/a'\nadd_dirs = ['b']",
            "usage.bad_setting",
            "projects.shop.add_dirs",
        ),
        ("[projects.shop]\ndirectory = '/a'\nadd_dirs = '/b'", "usage.bad_setting", "projects.shop.add_dirs"),
        ("[projects.shop]\ndirectory = '/a'\nsystem = ' '", "usage.bad_setting", "projects.shop.system"),
        (
            "[projects.shop]\ndirectory = '/a'\npermission_mode = 'yes'",
            "usage.bad_setting",
            "projects.shop.permission_mode",
        ),
        (
            "[projects.shop]\ndirectory = '/a'\nday_budget_usd = 0",
            "usage.bad_setting",
            "projects.shop.day_budget_usd",
        ),
        ("[projects.shop]\ndirectory = '/a'\nmax_turns = 0", "usage.bad_setting", "projects.shop.max_turns"),
        ("[projects.shop]\ndirectoy = '/a'", "usage.unknown_setting", "projects.shop.directoy"),
        ("[projects.shop]", "usage.unknown_setting", "projects.shop"),
        ("[projects]\nshop = '/a'", "usage.unknown_setting", "projects.shop"),
        ("projects = 3", "usage.unknown_setting", "projects"),
        ("[projects.'../x']\ndirectory = '/a'", "usage.unknown_setting", "projects.../x.directory"),
        ("[projects.a.b.c]\ndirectory = '/a'", "usage.unknown_setting", "projects.a.b"),
    ],
)
def test_what_is_no_project_is_refused_by_name(text: str, code: str, named: str, tmp_path: Path) -> None:
    error = refusal(tmp_path, text)
    assert error.code == code
    assert f"`{named}" in error.message
    # A run reads the same file, and must not pass over it in silence either.
    if "projects.shop`" not in error.message or code == "usage.unknown_setting":
        with pytest.raises(UsageError):
            load({}, tmp_path, tmp_path)


def test_a_directorys_own_settings_cannot_bring_projects(tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    clone.mkdir()
    (clone / FILE_NAME).write_text("[projects.shop]\ndirectory = '/'\ntools = 'all'", "utf-8")
    with pytest.raises(UsageError) as caught:
        load({}, clone, tmp_path / "config")
    assert caught.value.info.code == "usage.setting_not_allowed"
    assert "`projects.shop.directory`" in caught.value.info.message


def test_the_reference_lists_what_a_project_may_hold() -> None:
    rows = {row.name: row.files for row in reference_rows()}
    assert rows["projects.NAME.directory"] == rows["projects.NAME.model"] == "own only"
