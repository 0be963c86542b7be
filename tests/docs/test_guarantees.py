"""Every sentence of the pages of guarantees names a test that exists."""

from __future__ import annotations

import re

from .pages import ROOT, names_of_tests

BEHAVIOUR = (ROOT / "docs" / "behaviour.md").read_text("utf-8")
USAGE = "\n".join(
    (ROOT / "docs" / f"behaviour-{part}.md").read_text("utf-8") for part in ("usage", "wallets", "gateway")
)
PROVED, _, NOT_PROVED = f"{USAGE}\n{BEHAVIOUR}".partition("\n## Not proved yet\n")
COMMENT = re.compile(r"<!-- test: (.+?) -->")
NAMED = sorted({name for names in COMMENT.findall(USAGE + BEHAVIOUR) for name in names.split(", ")})


def guarantees(text: str) -> list[str]:
    """The items of the lists in ``text``, each with the comment behind it."""
    return re.split(r"^- ", text, flags=re.MULTILINE)[1:]


def test_every_named_test_exists() -> None:
    missing = [
        name for name in NAMED if name.partition("::")[2] not in names_of_tests(name.partition("::")[0])
    ]
    assert missing == []


def test_every_guarantee_names_a_test() -> None:
    assert len(guarantees(PROVED)) > 30
    assert [sentence.splitlines()[0] for sentence in guarantees(PROVED) if not COMMENT.search(sentence)] == []


def test_what_is_not_proved_is_said_and_names_none() -> None:
    assert guarantees(NOT_PROVED)
    assert COMMENT.findall(NOT_PROVED) == []
