"""Every sentence of the pages of guarantees names a test that exists."""

from __future__ import annotations

import ast
import re
from functools import cache

from .pages import ROOT

BEHAVIOUR = (ROOT / "docs" / "behaviour.md").read_text("utf-8")
USAGE = (ROOT / "docs" / "behaviour-usage.md").read_text("utf-8")
PROVED, _, NOT_PROVED = f"{USAGE}\n{BEHAVIOUR}".partition("\n## Not proved yet\n")
COMMENT = re.compile(r"<!-- test: (.+?) -->")
NAMED = sorted({name for names in COMMENT.findall(USAGE + BEHAVIOUR) for name in names.split(", ")})


@cache
def names_in(file: str) -> frozenset[str]:
    """The names of a file's tests, those of classes as ``Class::test``; none when there is no such file."""
    path = ROOT / file
    if not path.is_file():
        return frozenset()
    found = set()
    for node in ast.parse(path.read_text("utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            found.add(node.name)
        elif isinstance(node, ast.ClassDef):
            found |= {f"{node.name}::{each.name}" for each in node.body if isinstance(each, ast.FunctionDef)}
    return frozenset(name for name in found if name.rpartition("::")[2].startswith("test_"))


def guarantees(text: str) -> list[str]:
    """The items of the lists in ``text``, each with the comment behind it."""
    return re.split(r"^- ", text, flags=re.MULTILINE)[1:]


def test_every_named_test_exists() -> None:
    missing = [name for name in NAMED if name.partition("::")[2] not in names_in(name.partition("::")[0])]
    assert missing == []


def test_every_guarantee_names_a_test() -> None:
    assert len(guarantees(PROVED)) > 30
    assert [sentence.splitlines()[0] for sentence in guarantees(PROVED) if not COMMENT.search(sentence)] == []


def test_what_is_not_proved_is_said_and_names_none() -> None:
    assert guarantees(NOT_PROVED)
    assert COMMENT.findall(NOT_PROVED) == []
