"""The generated pages are fresh, and what they say about fields is about fields that exist."""

from __future__ import annotations

from typing import Any, Literal

import msgspec
import pytest

from oneseat.contract.errors import EXIT_CODES
from scripts import docs, field_meanings
from scripts.error_codes import EXITS
from scripts.field_types import describe_rule

STRUCTURES = {"EVENTS": docs.EVENTS, "RESULTS": docs.RESULTS}


def test_every_page_says_what_the_source_says() -> None:
    assert docs.main(["--check"]) == 0


def test_no_page_is_left_over() -> None:
    assert sorted(path.name for path in docs.REFERENCE.iterdir()) == sorted(docs.PAGES)


@pytest.mark.parametrize("name", STRUCTURES)
def test_every_field_is_explained_and_no_other(name: str) -> None:
    explained = {kind: list(fields) for kind, fields in getattr(field_meanings, name).items()}
    assert explained == {
        kind.__name__: [field.name for field in msgspec.structs.fields(kind)] for kind in STRUCTURES[name]
    }


def test_every_exit_code_is_explained_and_no_other() -> None:
    assert EXITS.keys() == {0, *EXIT_CODES.values()}


def test_every_command_is_on_the_page_of_commands() -> None:
    from oneseat.cli.main import _COMMANDS

    page = (docs.REFERENCE / "cli.md").read_text("utf-8")  # fresh, or the first test fails
    assert [name for name in _COMMANDS if f"\n## oneseat {name}\n" not in page] == []


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (str | None, "text or null"),
        (Literal["one", "two"], "`one`, `two`"),
        (tuple[str, ...], "list of text"),
        (tuple[str, int], "list: text, whole number"),
        (dict[str, Any], "object"),
        (msgspec.Struct, "[Struct](#struct)"),
    ],
)
def test_types_in_words(kind: Any, words: str) -> None:
    assert describe_rule(kind, {msgspec.Struct: "#struct"}) == words


def test_a_type_nobody_has_put_into_words_is_an_error() -> None:
    with pytest.raises(KeyError):
        describe_rule(complex, {})
