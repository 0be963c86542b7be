"""Where keys stand in a settings file, and changes to one that leave its other lines alone."""

from __future__ import annotations

import json
import time
import tomllib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oneseat.settings.editing import dotted, toml_literal, with_table, with_value
from oneseat.settings.positions import position, positions

WHOLE = '''# [not.a.header]
a = """
b = 1
"quoted" """"
[claude] # a comment = 5
model = 'x # y'   # z = 1
path.inner . "deep er" = [ # [x]
  { a = "]" }, "# no",
  """
[no]
""",
]
'it''s' = 3
["keys"."wo.rk"]
\tprovider = "a\\"b"

[[list]]
x = 1
[[list]]
x = 2
'''.replace("'it''s'", '"it\'s"')


def test_every_key_of_a_difficult_file_has_its_place() -> None:
    tomllib.loads(WHOLE)
    assert positions(WHOLE) == {
        ("a",): (2, 1),
        ("claude",): (5, 1),
        ("claude", "model"): (6, 1),
        ("claude", "path", "inner", "deep er"): (7, 1),
        ("claude", "it's"): (13, 1),
        ("keys", "wo.rk"): (14, 1),
        ("keys", "wo.rk", "provider"): (15, 2),
        ("list",): (17, 1),
        ("list", "x"): (18, 1),
    }


def test_what_has_no_place_of_its_own_is_at_the_place_of_what_holds_it() -> None:
    found = positions("[keys]\nwork = {provider = 1}")
    assert position(("keys", "work", "provider"), found) == (2, 1)
    assert position(("other",), found) is None


#: Names and texts of all kinds: what needs quotation marks, escapes, or looks like something else in TOML.
NAMES = st.text(st.sampled_from("ab-_.#[]= '\"\\é\t"), max_size=5) | st.sampled_from(["a", "keys", "x.y", ""])
TEXTS = st.text(st.sampled_from("ab#[]{}='\"\\\n,é "), max_size=12)


def basic(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def long_text(text: str) -> str:
    return '"""' + text.replace("\\", "\\\\").replace('"""', '""\\"') + '"""'


VALUES: st.SearchStrategy[str] = st.recursive(
    TEXTS.map(basic)
    | TEXTS.filter(lambda text: '"' not in text[-1:]).map(long_text)
    | TEXTS.filter(lambda text: "'" not in text and "\n" not in text).map(lambda text: f"'{text}'")
    | TEXTS.filter(lambda text: "'" not in text).map(lambda text: f"'''{text}'''")
    | st.integers().map(str)
    | st.sampled_from(["true", "1.5e3", "2026-11-20T10:00:00Z", '""""a"""""', "''''a'''''"]),
    lambda inner: st.lists(inner, max_size=3).map(lambda items: "[ # ]\n" + ",\n".join(items) + "]"),
    max_leaves=4,
)


@st.composite
def files(draw: st.DrawFn) -> tuple[str, dict[tuple[str, ...], tuple[int, int]]]:
    """A file with where each key was put."""
    lines: list[str] = []
    places: dict[tuple[str, ...], tuple[int, int]] = {}

    def line() -> int:
        return "".join(lines).count("\n") + 1

    for table in draw(st.lists(NAMES, max_size=3, unique=True)):
        header = (table,)
        indent = draw(st.sampled_from(["", "  ", "\t"]))
        lines.append(draw(st.sampled_from(["", "\n", "# a = [\n", "#\n\n"])))
        places[header] = (line(), len(indent) + 1)
        lines.append(f"{indent}[{dotted(header)}]{draw(st.sampled_from(['', ' # x = 1']))}\n")
        for name in draw(st.lists(NAMES, max_size=3, unique=True)):
            places[*header, name] = (line(), len(indent) + 1)
            lines.append(
                f"{indent}{dotted((name,))} = {draw(VALUES)}{draw(st.sampled_from(['', ' # [y]']))}\n"
            )
    return "".join(lines), places


@settings(deadline=None)
@given(files())
def test_the_place_of_every_key_is_found(
    file: tuple[str, dict[tuple[str, ...], tuple[int, int]]],
) -> None:
    text, places = file
    tomllib.loads(text)
    assert positions(text) == places


@settings(deadline=None)
@given(files(), NAMES, st.text(max_size=10).filter(lambda text: text.isprintable()))
def test_a_table_is_added_and_everything_else_stays(
    file: tuple[str, dict[tuple[str, ...], tuple[int, int]]], name: str, value: str
) -> None:
    text = file[0]
    before: dict[str, Any] = tomllib.loads(text)
    new = with_table(text, ("new keys", name), {"provider": value, "charges": False})
    assert new is not None
    assert new.startswith(text)
    assert tomllib.loads(new) == before | {"new keys": {name: {"provider": value, "charges": False}}}
    more = with_value(new, ("new keys", name), "file", value)
    assert more is not None
    assert set(new.splitlines()) < set(more.splitlines()) | {""}
    assert tomllib.loads(more)["new keys"][name] == {"file": value, "provider": value, "charges": False}
    assert with_value(more, ("new keys", name), "file", "again") is None


@pytest.mark.parametrize("text", ["x = 1", "x = 1\n", "", "\ufeffx = 1\r\n", "# only a comment"])
def test_a_table_is_added_to_any_beginning(text: str) -> None:
    new = with_table(text, ("keys", "work"), {"provider": "openai"})
    assert new is not None
    assert new.startswith(text)
    assert new.endswith("\r\n" if "\r\n" in text else "\n")


@pytest.mark.parametrize(
    "text", ["keys = {a = {provider = 'x'}}", "[keys.work]\nprovider = 'x'", "keys = 3", "[[keys]]\na = 1"]
)
def test_where_no_table_can_be_added_none_is(text: str) -> None:
    assert with_table(text, ("keys", "work"), {"provider": "openai"}) is None


def test_where_a_table_has_no_header_no_value_is_added() -> None:
    assert with_value("[keys]\nwork.provider = 'x'", ("keys", "work"), "env", "A") is None
    assert with_value("keys = {work = {}}", ("keys", "work"), "env", "A") is None
    assert with_value("[keys.work]", ("keys", "work"), "env", "A") == '[keys.work]\nenv = "A"\n'


def test_line_ends_and_marks_of_other_systems_are_kept() -> None:
    text = "\ufeff# a\u2028b\r\n[keys.work]\r\nprovider = 'openai'\r\n"
    assert with_value(text, ("keys", "work"), "env", "A") == (
        "\ufeff# a\u2028b\r\n[keys.work]\r\nenv = \"A\"\r\nprovider = 'openai'\r\n"
    )


def test_a_hostile_file_is_looked_through_in_no_time() -> None:
    began = time.process_time()
    for text in (
        '"""' * 20_000,
        "'" * 60_000,
        "[" * 60_000,
        '"\\' * 30_000,
        "a=" + "[" * 60_000,
        "a" + " " * 60_000,
    ):
        positions(text)
    assert time.process_time() - began < 2


def test_values_are_written_as_they_are_read() -> None:
    for value in ('a"b\\c\x7f\u00e9', True, 3, 0.5):
        assert tomllib.loads(f"x = {toml_literal(value)}")["x"] == value
