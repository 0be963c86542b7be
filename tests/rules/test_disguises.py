"""A known value in encodings that only a disguise has a use for, and what that costs."""

from __future__ import annotations

import base64
import html
import time
from collections.abc import Callable

import pytest

from oneseat.rules.redaction import Redactor

KEY = "pl4nted-" + "Key_that=looks.like+nothing"


@pytest.mark.parametrize(
    "disguise",
    [
        lambda key: key.encode().hex(),
        lambda key: key.encode().hex().upper(),
        lambda key: base64.b32encode(key.encode()).decode(),
        lambda key: base64.b64encode(base64.b64encode(key.encode())).decode(),
        lambda key: "".join(f"\\u{ord(char):04x}" for char in key),
        lambda key: "".join(f"%{ord(char):02X}" for char in key),
        lambda key: "".join(f"&#{ord(char)};" for char in key),
        lambda key: key[::-1],
        lambda key: key.swapcase(),
        lambda key: key.upper(),
        "\n".join,
        lambda key: key[:10] + "\n   " + key[10:],
        lambda key: key[:10] + "\\n" + key[10:],
        lambda key: key[:10] + "\u200b" + key[10:],
    ],
)
def test_a_key_is_found_in_disguise(disguise: Callable[[str], str]) -> None:
    shown = Redactor([KEY]).redact(f"your key is {disguise(KEY)}, is it not?")
    assert shown.startswith("your key is [redacted:known]")
    assert shown.rstrip("=").endswith("is it not?")
    assert KEY[:12] not in html.unescape(shown)


def test_a_short_word_is_looked_for_as_it_is() -> None:
    assert Redactor(["swordfish"]).redact("hsifdrows SWORDFISH") == "hsifdrows SWORDFISH"


def test_many_keys_cost_little() -> None:
    redactor = Redactor([f"{KEY}-{number}" for number in range(10)])
    text = "an answer of the usual kind\n" * 40_000
    began = time.process_time()
    assert redactor.redact(text) == text
    assert time.process_time() - began < 2
