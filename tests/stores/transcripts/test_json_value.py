"""The scanner that the meter uses reads JSON just as the standard library's decoder does."""

from __future__ import annotations

import json
import subprocess
import sys

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


def test_a_python_that_is_made_of_other_parts_counts_the_same() -> None:
    program = """
import sys
sys.modules["_json"] = sys.modules["_datetime"] = None
from oneseat.stores.transcripts.sightings import Origin, Reader
reader = Reader()
reader.read_loosely(sys.stdin.buffer.read(), Origin("p", "s"))
print(list(reader.found.values()), reader.problems)
"""
    lines = (
        b'{"message":{"id":"m","model":"x","usage":{"output_tokens":5,"input_tokens":null}},'
        b'"timestamp":"2026-11-20T15:35:09.763+01:00"} {"message":NaN}{"output_tokens":'
    )
    asked = subprocess.run([sys.executable, "-c", program], input=lines, capture_output=True, check=True)
    assert asked.stdout == b"[('m', 1, 5, 0, 0, 0, 0, -1795185309763, 0, 's', 'p', 'x')] {'not_json': 1}\n"
