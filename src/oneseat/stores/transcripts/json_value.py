"""Reads JSON by the standard library's scanner alone: all of ``json`` loads ``re`` and ``enum``, for a tenth of a small update."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeAlias

    _Scan: TypeAlias = Callable[[str, int], tuple[Any, int]]

_WORDS = {"NaN": float("nan"), "Infinity": float("inf"), "-Infinity": float("-inf")}


class _Usual:
    """What ``json.loads`` tells the scanner."""

    strict = True
    object_hook = None
    object_pairs_hook = None
    parse_float = float
    parse_int = int
    parse_constant = _WORDS.__getitem__


def _scanner() -> _Scan:
    try:
        from _json import make_scanner  # noqa: PLC0415 - not every Python has it

        return make_scanner(_Usual)  # type: ignore[arg-type]  # any object that has the names
    except (ImportError, AttributeError):  # there is none, or it asks for more
        return _library()


def _library() -> _Scan:
    from json import JSONDecoder  # noqa: PLC0415 - only where it is needed

    return JSONDecoder().raw_decode


_scan = _scanner()


def first_value(text: str) -> tuple[Any, int]:
    """The value that a text begins with, and where it ends. Raises ``ValueError`` and ``RecursionError``."""
    try:
        return _scan(text, 0)
    except StopIteration:
        raise ValueError("no value") from None
    except SystemError:
        # The scanner of Python 3.11 cannot say that a text is broken as long as nobody has loaded ``json``.
        return _library()(text, 0)
