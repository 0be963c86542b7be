"""No file of the project names the machine it was written on, or the place its packages come from."""

from __future__ import annotations

import os
import pwd
import re
from pathlib import Path

import pytest

from .source import ROOT, name_of, project_files

#: People who do not exist: the homes that examples and recorded streams may mention.
NOBODY = r"(?:me|you|user|owner|another|other|someone|[a-z])\b"
PLACES = {
    "a package index": re.compile(
        r"\b(?:pypi|pythonhosted|npmjs|yarnpkg|anaconda)\.(?:org|com|io)\b|\bregistry\.(?:npm|yarn)\w*\."
    ),
    "an index option": re.compile(r"(?m)^\s*--(?:extra-)?(?:index-url|find-links|trusted-host)\b"),
    "somebody's home": re.compile(
        rf"(?<![\w.])(?:/home/(?!{NOBODY})|/Users/(?!{NOBODY})|[A-Z]:\\+Users\\+(?!{NOBODY}))[A-Za-z]"
    ),
}


def this_machine() -> list[str]:
    """The folder of this checkout and the home of whoever runs the test, as text no file may contain.

    Places such as ``/app`` or ``/root``, or the home of nobody, are the same on many machines and give none away.
    """
    places = {ROOT, Path(pwd.getpwuid(os.getuid()).pw_dir)}
    telling = [
        place for place in places if len(place.parts) > 2 and not re.match(rf"/home/{NOBODY}", str(place))
    ]
    return [f"{place}/" for place in telling]


def text_of(path: Path) -> str:
    """A file as text; what is not UTF-8 cannot match."""
    return path.read_bytes().decode("utf-8", "replace")


@pytest.mark.parametrize("what", PLACES)
def test_no_file_names(what: str) -> None:
    assert {
        name_of(path): found[0] for path in project_files() if (found := PLACES[what].search(text_of(path)))
    } == {}


def test_no_file_names_this_machine() -> None:
    places = this_machine()
    assert [
        name_of(path) for path in project_files() if any(place in text_of(path) for place in places)
    ] == []


def test_locks_hold_hashes_and_no_address() -> None:
    locks = [
        path
        for path in project_files()
        if re.fullmatch(r"requirements[\w-]*\.txt|.*package-lock\.json", name_of(path))
    ]
    assert len(locks) >= 6
    assert [name_of(path) for path in locks if "://" in text_of(path)] == []
    assert [
        name_of(path) for path in locks if "sha256:" not in text_of(path) and "sha512-" not in text_of(path)
    ] == []


@pytest.mark.parametrize(
    ("what", "text"),
    [
        ("a package index", "https://" + "pypi" + ".org/simple"),
        ("a package index", "https://registry." + "npmjs" + ".org/x"),
        ("an index option", "-" + "-extra-index-url https://host/simple"),
        ("somebody's home", "/home" + "/ada/project"),
        ("somebody's home", "C:\\Users" + "\\ada"),
    ],
)
def test_the_patterns_find_what_they_are_for(what: str, text: str) -> None:
    assert PLACES[what].search(text)
