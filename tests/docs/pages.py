"""Finding the pages, and taking them apart into blocks, links and words, for the tests beside this file.

A comment right above a block says how it is treated:

- ``<!-- simulator: overage -->`` plays that scenario instead of ``ok``;
- ``<!-- fake: signed-out -->`` takes that fake CLI instead of the real one, and no simulator;
- ``<!-- in the background -->`` leaves the program running for the rest of the page;
- ``<!-- not run: why -->`` only shows the block, if every command in it is one that no test may run.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
README = ROOT / "README.md"
_FENCE = re.compile(
    r"^(?:<!-- (?P<note>[^>]*) -->\n\n?)?^```(?P<language>\w*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL
)
_LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)


class Block(NamedTuple):
    """One fenced block. ``note`` is the comment right above it, empty without one; ``line`` counts from 1."""

    page: Path
    line: int
    language: str
    text: str
    note: str

    @property
    def place(self) -> str:
        return f"{name_of(self.page)}:{self.line}"

    def named(self, word: str) -> str | None:
        """What the note says after ``word:``; ``None`` when it says nothing of the kind."""
        start, _, rest = self.note.partition(":")
        return rest.strip() if start == word else None


class Step(NamedTuple):
    """One command of a console block, and the output shown below it."""

    command: str
    output: str


@cache
def pages() -> tuple[Path, ...]:
    """The README and every page of docs, the generated ones too."""
    return (README, *sorted((ROOT / "docs").rglob("*.md")))


def written_pages() -> tuple[Path, ...]:
    """The pages people write: `make docs` and `make bench` write the others."""
    return tuple(
        page for page in pages() if page.parent.name != "reference" and page.name != "performance.md"
    )


def name_of(page: Path) -> str:
    """A page's name as the findings print it."""
    return page.relative_to(ROOT).as_posix()


@cache
def blocks(page: Path) -> tuple[Block, ...]:
    """The fenced blocks of a page, from top to bottom."""
    text = page.read_text("utf-8")
    return tuple(
        Block(
            page,
            text.count("\n", 0, match.start("language")) + 1,
            match["language"],
            match["text"],
            match["note"] or "",
        )
        for match in _FENCE.finditer(text)
    )


def steps(block: Block) -> Iterator[Step]:
    """The commands of a console block: each begins with ``$ ``, goes on with ``> ``, and is followed by its output."""
    for part in re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]:
        lines = part.splitlines()
        end = next((n for n, line in enumerate(lines[1:], 1) if not line.startswith("> ")), len(lines))
        command = "\n".join([lines[0], *(line[2:] for line in lines[1:end])])
        yield Step(command, "\n".join(lines[end:]))


def links(page: Path) -> list[str]:
    """The targets of a page's links, those in blocks left out."""
    return _LINK.findall(_FENCE.sub("", page.read_text("utf-8")))


def prose(page: Path) -> str:
    """A page without its blocks and comments."""
    return _COMMENT.sub("", _FENCE.sub("", page.read_text("utf-8")))


def visible(page: Path) -> str:
    """A page as a reader sees it: blocks included, comments not."""
    return _COMMENT.sub("", page.read_text("utf-8"))


def in_backticks(page: Path) -> list[str]:
    """Every piece of inline code in the prose of a page."""
    return re.findall(r"`([^`\n]+)`", prose(page))


def anchors(page: Path) -> set[str]:
    """The anchors that a page's headings make."""
    heads = re.findall(r"^#{1,6} (.+)$", _FENCE.sub("", page.read_text("utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", head.lower()).replace(" ", "-") for head in heads}


@cache
def names_of_tests(file: str) -> frozenset[str]:
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
