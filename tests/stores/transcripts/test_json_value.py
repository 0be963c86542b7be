"""The scanner that the meter uses reads JSON just as the standard library's decoder does."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oneseat.stores.transcripts.json_value import first_value

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)
TEXTS = st.builds(
    lambda value, cut, after: json.dumps(value)[:cut] + after,
    VALUES,
    st.integers(0, 200) | st.none(),
    st.sampled_from(["", " ", "\n{}", "]", "\0", "NaN"]),
)


def read_by_the_library(text: str) -> object:
    try:
        return repr(json.JSONDecoder().raw_decode(text))
    except ValueError:
        return ValueError


@given(TEXTS | st.text('{}[]",:0-.eNaInfity\\u \n'))
def test_a_value_is_what_the_library_says_and_ends_there(text: str) -> None:
    try:
        found: object = repr(first_value(text))
    except ValueError:
        found = ValueError
    assert found == read_by_the_library(text)


OTHER_PARTS = 'import sys; sys.modules["_json"] = sys.modules["_datetime"] = None'
PROGRAM = """
import sys
from oneseat.stores.transcripts.sightings import Origin, Reader
reader = Reader()
for line in sys.stdin.buffer:
    reader.read_loosely(line, Origin("p", "s"))
print(list(reader.found.values()), reader.problems)
"""
WHOLE = (
    '{"message":{"id":"m","model":"x","usage":{"output_tokens":5,"input_tokens":null}},'
    '"timestamp":"2026-11-20T15:35:09.763+01:00"} {"message":NaN}'
)
BROKEN = ('{"output_tokens":', '{"output_tokens"', '["output_tokens" 1]')


@pytest.mark.parametrize("before", ["", OTHER_PARTS], ids=["usual", "other"])
def test_broken_lines_are_counted_by_a_program_that_loaded_nothing_else_of_any_parts(before: str) -> None:
    lines = "".join(f"{WHOLE}{end}\n" for end in BROKEN)
    asked = subprocess.run(
        [sys.executable, "-c", before + PROGRAM], input=lines.encode(), capture_output=True, check=True
    )
    assert asked.stdout == b"[('m', 1, 5, 0, 0, 0, 0, -1795185309763, 0, 's', 'p', 'x')] {'not_json': 3}\n"
