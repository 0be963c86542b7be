"""Each line belongs to the directory it names, although the CLI gives many directories one folder."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oneseat.stores.transcripts.folders import Origin, directory_of, folder_of

from .indexed import ask
from .test_same_answer import line, write

LONG = "/home/me/" + "a long name " * 20


def projects(root: Path, **lines: list[str | None]) -> dict[str, int]:
    """The answers of each project, for files with lines of these working directories."""
    write(
        root,
        {
            name: [{**line(name, minutes=60 * number), "cwd": cwd} for number, cwd in enumerate(directories)]
            for name, directories in lines.items()
        },
    )
    found: dict[str, int] = {}
    for row in ask(root / "usage.db", [root]).rows:
        found[row.project] = found.get(row.project, 0) + row.answers
    return found


def test_directories_of_one_folder_are_told_apart(tmp_path: Path) -> None:
    (tmp_path / "projects").mkdir(parents=True)
    found = projects(
        tmp_path, a=["/home.me", "/home.me/src/deep", "/tmp", None], b=["/home_me"], c=["/elsewhere"]
    )
    # After a change to another directory, a line belongs where those before it do; of `c` nothing is known but the folder.
    assert found == {"/home.me": 4, "/home_me": 1, "-home-me": 1}


def test_a_file_that_grows_keeps_its_directory(tmp_path: Path) -> None:
    assert projects(tmp_path, a=["/home.me"], b=["/home_me"]) == {"/home.me": 1, "/home_me": 1}
    assert projects(tmp_path, a=["/home.me", "/tmp"], b=["/home_me"]) == {"/home.me": 2, "/home_me": 1}


@pytest.mark.parametrize(
    ("directory", "folder"),
    [
        ("/home/me/my_app", "-home-me-my-app"),
        ("/home/me/新聞", "-home-me---"),
        # As claude 2.1.329 names them: it counts in UTF-16, and cuts a name after 200 characters.
        ("/home/me/🦊", "-home-me---"),
        (LONG, f"-home-me-{'a-long-name-' * 20}"[:200] + "-orjhhy"),
    ],
)
def test_a_folder_is_named_as_the_cli_names_it(directory: str, folder: str) -> None:
    assert folder_of(directory) == folder
    assert directory_of(folder, directory) == directory
    assert Origin(folder, "s").project(f"{directory}/src") == directory


def test_a_long_name_with_another_hash_is_known_by_its_beginning() -> None:
    assert directory_of(folder_of(LONG)[:200] + "-other", LONG) == LONG
    assert directory_of(folder_of(LONG)[:199] + "x-other", LONG) == ""


def test_a_composed_name_and_a_decomposed_one_are_one_folder() -> None:
    composed = "/home/me/café"
    assert directory_of(folder_of(composed), unicodedata.normalize("NFD", composed)) != ""


@given(st.text(max_size=30), st.text(max_size=60))
def test_no_directory_breaks_the_search(folder: str, cwd: str) -> None:
    assert directory_of(folder, cwd) in cwd
    assert directory_of(folder_of(cwd), cwd) == cwd
