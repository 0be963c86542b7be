"""The map at the top of CONTRIBUTING.md is right: each example is followed through every file that its row names."""

from __future__ import annotations

import re

import pytest

from .source import ROOT

CHANGES = (
    "a provider option",
    "a receipt field",
    "a window label",
    "an exit code",
    "a credential source",
    "a run flag",
    "a policy rule",
    "a setting",
    "an API vendor",
    "an official CLI",
    "an HTTP endpoint",
    "an agent",
)
_ROW = re.compile(r"^\| (an? [^|]+) \| `([^`|]+)` \| ([^|]+) \|$", re.MULTILINE)
_FILE = re.compile(r"`([^`]+)`(?: \(`([^`]+)`\))?")


def rows() -> dict[str, tuple[str, str]]:
    """The rows of the map: the change, its example, and the cell of files."""
    text = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    section = text.partition("## To add X, touch Y\n")[2].partition("\n## ")[0]
    return {change: (example, files) for change, example, files in _ROW.findall(section)}


def missing(example: str, files: str) -> list[str]:
    """The files of a row that are not there, or in which the example does not stand as a word of its own."""
    found = []
    for name, other in _FILE.findall(files):
        places = [place for place in (ROOT / name, ROOT / "src/oneseat" / name) if place.is_file()]
        word = re.compile(rf"(?<!\w){re.escape(other or example)}(?!\w)")
        if not any(word.search(place.read_text("utf-8")) for place in places):
            found.append(name)
    return found


def test_the_map_has_the_changes_that_are_made_most() -> None:
    assert tuple(rows()) == CHANGES
    assert min(len(_FILE.findall(files)) for _, files in rows().values()) >= 2


@pytest.mark.parametrize("change", CHANGES)
def test_the_example_stands_in_every_file(change: str) -> None:
    assert missing(*rows()[change]) == []


def test_a_file_that_is_gone_or_without_the_example_would_be_found() -> None:
    files = "`contract/receipt.py`, `contract/gone.py`, `contract/request.py`, `api.py` (`no_such_name`)"
    assert missing("cost_source", files) == ["contract/gone.py", "contract/request.py", "api.py"]
