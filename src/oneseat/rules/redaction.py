"""Takes credentials out of text before it is shown or stored. Linear in the length of the text, whatever it holds.

Every pattern is anchored on a few fixed characters and uses possessive quantifiers, so no input makes it backtrack. Each
match swallows the rest of the word it ends in: nothing that follows can then match because of what was taken out, which is
what makes redacting twice the same as redacting once.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterable
from urllib.parse import quote

#: Shorter values are words: taking `true` out of every text would hide nothing and break much.
_SHORTEST_KNOWN = 4
_DONE = r"\[redacted:[a-z-]{1,32}+\]"
_REST = r"[A-Za-z0-9_-]*+"

#: What looks like a credential by itself, whatever stands before it.
_SHAPES = tuple(
    (kind, re.compile(pattern))
    for kind, pattern in (
        (
            "private-key",
            r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----"
            r"(?:(?!-----END )[A-Za-z0-9+/=\s:,.()\\-])*+(?:-----END [A-Z0-9 ]{0,60}+-----)?+",
        ),
        ("anthropic-key", r"sk-ant-[A-Za-z0-9]" + _REST),
        ("openai-key", r"sk-proj-[A-Za-z0-9]" + _REST),
        ("key", r"(?<![A-Za-z0-9])sk-(?=[A-Za-z_-]{0,64}+[0-9])[A-Za-z0-9_-]{16,}+"),
        ("github-token", r"(?:gh[opsur]_[A-Za-z0-9]{16}|github_pat_[A-Za-z0-9_]{16})" + _REST),
        ("aws-key", r"(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}" + _REST),
        ("jwt", r"eyJ[A-Za-z0-9_-]{8,}+(?:\.[A-Za-z0-9_-]*+){1,4}+"),
    )
)
_URL_PASSWORD = re.compile(rf"(?<=://)([^\s/:@\"'<>]*+:)(?!{_DONE}@)[^\s/\"'<>]++(?<=[^\s/\"'<>])")

#: Names of variables and fields that hold a secret. `key` alone is a word of every program; it needs something before it.
_SECRET_NAME = r"(?:(?-i:KEY)|(?<=[a-z0-9_.-])key(?![a-z])|token(?!s?_?(?:source|iz|type))|secret|passw(?:or)?d|authorization)"
_NAME_REST = r"[a-z0-9_.-]{0,64}+"
_QUOTED = r"(?P<slash>\\{0,7}+)(?P<quote>[\"'])(?P<inside>(?:(?!(?<!\\)(?P=slash)(?P=quote))[^\n])++)"
_BARE = r"(?P<bare>[^\s\"'`&;<>|]++)"
_ASSIGNMENTS = tuple(
    re.compile(rf"(?i){pattern}")
    for pattern in (
        # JSON, also JSON inside JSON: "api_key": "..."
        rf"{_SECRET_NAME}{_NAME_REST}\\{{0,7}}+[\"']\s*+:\s*+{_QUOTED}",
        # Shells, .env files, query strings: API_KEY=...
        rf"{_SECRET_NAME}{_NAME_REST}=(?![=>])(?:{_QUOTED}|{_BARE})",
        # Programs and TOML: api_key = "..."
        rf"{_SECRET_NAME}{_NAME_REST}[ \t]*+=[ \t]*+{_QUOTED}",
        # YAML with the name of a variable: ANTHROPIC_API_KEY: ...
        rf"(?<=_)(?-i:KEY|TOKEN|SECRET|PASSWORD)(?-i:[A-Z0-9_]{{0,64}}+):[ \t]++(?:{_QUOTED}|{_BARE})",
    )
)
#: Headers: the value goes on to the end of the line or of the quoted text.
_HEADER = re.compile(
    rf"(?i)((?:x-api-key|x-goog-api-key|authorization)[ \t]*+:[ \t]*+)(?!{_DONE})[^\s\"'\\][^\r\n\"'\\]*+"
)
_BEARER = re.compile(r"(?i)\b(bearer[ \t]++)([A-Za-z0-9._~+/=-]{8,}+)")
_COUNT = re.compile(r"[0-9]{1,12}+")
_WHOLLY_DONE = re.compile(_DONE)


def redact(text: str) -> str:
    """``text`` with everything that looks like a credential replaced by ``[redacted:<kind>]``."""
    return _NOTHING_KNOWN.redact(text)


class Redactor:
    """Redacts as ``redact`` does, and exact values as well: ``known`` credentials, as they are and as they travel.

    A known value is also found in base64 (inside longer text too), percent-encoded and escaped as in JSON.
    """

    def __init__(self, known: Iterable[str] = ()) -> None:
        forms = {form for value in known if len(value) >= _SHORTEST_KNOWN for form in _forms(value)}
        # The longest first: a value that begins like another one must not leave its end behind.
        literals = "|".join(re.escape(form) for form in sorted(forms, key=len, reverse=True))
        # What is redacted already comes first, or a known value such as "redacted" would be replaced for ever.
        self._known = re.compile(f"{_DONE}|({literals})") if forms else None

    def redact(self, text: str) -> str:
        """``text`` without credentials. Takes time in proportion to its length; never raises."""
        if self._known is not None:
            text = self._known.sub(lambda found: "[redacted:known]" if found[1] else found[0], text)
        for kind, shape in _SHAPES:
            text = shape.sub(f"[redacted:{kind}]", text)
        text = _URL_PASSWORD.sub(_url_password, text)
        text = _HEADER.sub(r"\1[redacted:header]", text)
        text = _BEARER.sub(_bearer, text)
        for assignment in _ASSIGNMENTS:
            text = assignment.sub(_assigned, text)
        return text


def _url_password(found: re.Match[str]) -> str:
    password, at, host = found[0].removeprefix(found[1]).rpartition("@")
    return f"{found[1]}[redacted:password]@{host}" if at and password else found[0]


def _bearer(found: re.Match[str]) -> str:
    # "the bearer certificate" is prose; a token holds more than letters.
    return found[0] if found[2].isalpha() and len(found[2]) < 20 else f"{found[1]}[redacted:bearer]"


def _assigned(found: re.Match[str]) -> str:
    group = "inside" if found["inside"] is not None else "bare"
    value = found[group]
    head = found[0][: found.start(group) - found.start()]
    if _WHOLLY_DONE.fullmatch(value) or (_counts_tokens(head) and _COUNT.fullmatch(value)):
        return found[0]
    return f"{head}[redacted:value]"


def _counts_tokens(head: str) -> bool:
    # MAX_TOKENS=8000 is a number of tokens, not one of them.
    return "tokens" in head.lower()


def _forms(value: str) -> Iterable[str]:
    """A value as it is written in the places it travels through."""
    data = value.encode("utf-8", "surrogatepass")
    yield value
    yield quote(value, safe="", errors="replace")
    for ascii_only in (True, False):
        yield json.dumps(value, ensure_ascii=ascii_only)[1:-1]
    for offset in range(3):
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            yield _inner_base64(data, offset, encode)


def _inner_base64(data: bytes, offset: int, encode: Callable[[bytes], bytes]) -> str:
    """The base64 characters that depend on ``data`` alone when ``offset`` (mod 3) bytes stand before it."""
    text = encode(b"\0" * offset + data).decode("ascii")
    shared = len(data) + offset
    first = (0, 2, 3)[offset]
    last = shared // 3 * 4 + (0, 1, 2)[shared % 3]
    return text[first:last]


_NOTHING_KNOWN = Redactor()
