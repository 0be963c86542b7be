"""What a pattern cannot say of a match: checksums, dates, entropy, and whether a value only stands for one."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Mapping

_RFC_LETTERS = "0123456789ABCDEFGHIJKLMN&OPQRSTUVWXYZ Ñ"
#: The tax numbers that Mexico's law gives to the general public and to foreigners: they are nobody's.
_NOBODYS_RFC = {"XAXX010101000", "XEXX010101000"}
#: A value that only shows where one has to be written, or from where one is taken.
_PLACEHOLDER = re.compile(
    r"""(?ix)
    ^[x*.\-_#0?]+$ | x{5} | \*{3} | \.\.\. | ^[<\[{(%$@]|[>})\]]$ | \$\{ | \$\( | \{\{ | %\(
    | example | placeholder | redacted | change.?(?:me|this|it) | replace.?(?:me|this|with)
    | (?:^|[^a-z])(?:your|my|insert|enter)[-_. ]
    | ^(?:todo|fixme|none|null|nil|undefined|true|false|empty|default|optional|required|string|secret|token|password|passwd|pass|pwd
        |pw|key|value|user|username|test(?:ing)?|dummy|fake|foo|bar|baz|foobar|something|hunter2|abc(?:123)?|1234567?8?9?0?|api[-_]?key)$
    | ^(?:os\.|env\.|process\.|self\.|config\.|settings\.|args\.|ctx\.|this\.) | getenv | environ
    """
)
_NOT_A_MONTH_DAY = re.compile(r"^(?!(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])$)")


def entropy(text: str) -> float:
    """Shannon entropy in bits per character: about 4.7 for random letters and digits, 3.8 for hexadecimal, below 3.5 for words."""
    counts = Counter(text)
    return -sum(n / len(text) * math.log2(n / len(text)) for n in counts.values()) if text else 0.0


def is_placeholder(value: str) -> bool:
    """Whether a value is no secret but stands where one belongs."""
    return _PLACEHOLDER.search(value.strip()) is not None or len(set(value)) < 4


def _digits(text: str) -> str:
    return re.sub(r"\D", "", text)


def _card(text: str) -> bool:
    digits = _digits(text)
    doubled = [int(digit) * (1 + at % 2) for at, digit in enumerate(reversed(digits))]
    return len(set(digits)) > 1 and sum(n - 9 * (n > 9) for n in doubled) % 10 == 0


def _iban(text: str) -> bool:
    bare = re.sub(r"\s", "", text).upper()
    return int("".join(str(int(char, 36)) for char in bare[4:] + bare[:4])) % 97 == 1


def _is_date(text: str) -> bool:
    return _NOT_A_MONTH_DAY.match(text[2:]) is None


def _rfc(text: str) -> bool:
    """A tax number with a right date and a right last digit."""
    value = text.upper()
    date = re.search(r"\d{6}", value)
    if value in _NOBODYS_RFC or date is None or not _is_date(date[0]):
        return False
    padded = value[:-1].rjust(12)
    total = sum(_RFC_LETTERS.index(char) * (13 - at) for at, char in enumerate(padded))
    rest = 11 - total % 11
    return value[-1] == ("0" if rest == 11 else "A" if rest == 10 else str(rest))


def _rfc_date(text: str) -> bool:
    date = re.search(r"\d{6}", text)
    return text.upper() not in _NOBODYS_RFC and date is not None and _is_date(date[0])


def _phone(text: str) -> bool:
    digits = _digits(text)
    # 555 numbers are those of films and documentation.
    return (
        10 <= len(digits) <= 15
        and len(set(digits)) > 3
        and re.search(r"555.?01\d\d$|1?23456789|5555", digits) is None
    )


def _mixed(text: str) -> bool:
    """Letters and digits, and no word with a number behind it."""
    return bool(re.search(r"\d", text) and re.search(r"[A-Za-z]", text)) and not re.fullmatch(
        r"[A-Za-z_-]+\d{1,4}", text
    )


def _mixed_or_long(text: str) -> bool:
    return len(text) >= 34 or re.search(r"\d", text) is not None


def _not_hex(text: str) -> bool:
    return re.fullmatch(r"[0-9a-fA-F]+", text) is None


def _not_word(text: str) -> bool:
    """No name of a variable, and no plain word."""
    return re.fullmatch(r"[a-z][a-z_.:/-]*|[A-Z][A-Z_]*|[A-Z]?[a-z]+", text) is None


def _random(text: str) -> bool:
    """Digits among letters, as in what a generator made."""
    return (
        _mixed(text)
        and len(re.findall(r"\d", text)) >= 2
        and re.search(r"\d[^\W\d]|[^\W\d]\d.*[^\W\d]", text) is not None
    )


def _address(text: str) -> bool:
    parts = [int(part) for part in text.split(".")]
    # Networks, and the first address of one, which documentation is full of.
    return all(part < 256 for part in parts) and parts[3] not in {0, 255} and parts[1:] != [0, 0, 1]


CHECKS: Mapping[str, Callable[[str], bool]] = {
    "address": _address,
    "card": _card,
    "iban": _iban,
    "mixed": _mixed,
    "mixed_or_long": _mixed_or_long,
    "not_hex": _not_hex,
    "not_word": _not_word,
    "phone": _phone,
    "random": _random,
    "rfc": _rfc,
    "rfc_date": _rfc_date,
}
