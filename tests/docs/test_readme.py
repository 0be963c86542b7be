"""The first screen of the README has its parts, in their order, and fits on a screen."""

from __future__ import annotations

import re

from .pages import README, blocks, visible

FIRST_SCREEN = visible(README).partition("\n## ")[0]
PARTS = (
    r"^# oneseat\n",
    r"know who pays",
    r"`ANTHROPIC_API_KEY`",
    r"deliberately does not do",
    r"^pipx install \.",
    r"^make demo",
    r"^make test",
    r"^\$ ANTHROPIC_API_KEY=made-up oneseat run ",
    r"^receipt: wallet simulator \(verified\)",
    r"^import oneseat",
    r"policy .*candidate .*budget .*billing gate .*dispatch .*provider .*meter .*ledger .*caller",
    r"\[Start\]\(docs/start\.md\) · \[Behaviour\]\(docs/behaviour\.md\)",
    r"\[Reference\]\(docs/reference/\) · \[Design\]\(docs/design\.md\)",
)


def test_the_first_screen_has_its_parts_in_order() -> None:
    places = [re.search(part, FIRST_SCREEN, re.MULTILINE) for part in PARTS]
    assert [part for part, found in zip(PARTS, places, strict=True) if found is None] == []
    starts = [found.start() for found in places if found is not None]
    assert starts == sorted(starts)


def test_the_first_screen_fits_on_a_screen() -> None:
    assert len(FIRST_SCREEN.splitlines()) <= 50


def test_one_terminal_and_one_program_are_enough() -> None:
    languages = [block.language for block in blocks(README)]
    assert (languages.count("console"), languages.count("python")) == (1, 1)
    (program,) = [block for block in blocks(README) if block.language == "python"]
    assert len(program.text.splitlines()) == 5


def test_no_badge_and_no_picture_from_elsewhere() -> None:
    assert "![" not in visible(README)
    assert "<img" not in visible(README)
