"""The reference of error codes lists what the product can say, and nothing it cannot."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

from oneseat.contract.errors import EXIT_CODES, exit_code
from oneseat.settings.table import declared
from scripts.error_codes import CODES

SOURCE = Path(__file__).resolve().parents[2] / "src" / "oneseat"
FIRST_WORDS = "|".join(sorted({code.partition(".")[0] for code in EXIT_CODES}))
WHOLE = re.compile(rf"cancelled|(?:{FIRST_WORDS})\.[a-z0-9_]+")
#: A file that is called like a code.
FILES = {"usage.db"}
BEGINNING = re.compile(rf"(?:{FIRST_WORDS})\.")


def texts(node: ast.AST) -> list[str]:
    """The text a node spells out; nothing for any other node."""
    return [node.value] if isinstance(node, ast.Constant) and isinstance(node.value, str) else []


@cache
def used() -> tuple[frozenset[str], frozenset[str]]:
    """The codes written out in the source, and the beginnings of those put together there, such as ``stall.``."""
    whole: set[str] = set()
    begun: set[str] = set()
    for path in SOURCE.rglob("*.py"):
        if path.name == "errors.py" and path.parent.name == "contract":
            continue  # the table of exit codes names families, not errors
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.JoinedStr):
                begun |= {text for text in texts(node.values[0]) if BEGINNING.fullmatch(text)}
            whole |= {text for text in texts(node) if WHOLE.fullmatch(text)}
    # A family and a group of settings may have one first word.
    return frozenset(whole - declared().keys() - FILES), frozenset(begun)


def test_every_code_of_the_product_is_explained() -> None:
    assert sorted(used()[0] - CODES.keys()) == []


def test_every_explained_code_is_one_of_the_product() -> None:
    whole, begun = used()
    assert [code for code in CODES if code not in whole and f"{code.partition('.')[0]}." not in begun] == []


def test_every_family_that_is_put_together_is_explained() -> None:
    # A code of such a family may be spelled out elsewhere too, where something follows from it.
    _, begun = used()
    assert [start for start in begun if not any(code.startswith(start) for code in CODES)] == []


def test_only_bugs_have_the_exit_code_of_a_bug() -> None:
    assert [code for code in CODES if (exit_code(code) == 1) is not code.startswith("bug.")] == []
