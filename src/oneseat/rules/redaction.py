"""Takes credentials out of text before it is shown or stored. Linear in the length of the text, whatever it holds.

Every pattern is anchored on a few fixed characters and uses possessive quantifiers, so no input makes it backtrack. Each
match swallows the rest of the word it ends in: nothing that follows can then match because of what was taken out, which is
what makes redacting twice the same as redacting once.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property
from typing import TypeAlias
from urllib.parse import quote, quote_plus

#: Shorter values are words: taking `on` out of every text would hide nothing and break much.
_SHORTEST_KNOWN = 4
#: A shorter piece of base64 is found by chance.
_SHORTEST_BASE64 = 8
_DONE = r"\[redacted:[a-z-]{1,32}+\]"
_WHOLLY_DONE = re.compile(_DONE)
_REST = r"[A-Za-z0-9_-]*+"

_PRIVATE_KEY = (
    r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----"
    r"(?:(?!-----END )[A-Za-z0-9+/=\s:,.()\\-])*+(?:-----END [A-Z0-9 ]{0,60}+-----)?+"
)
#: The second half swallows what is no token: `eyJeyJeyJ...` would be read to its end again from each `eyJ`.
_JWT = r"eyJ[A-Za-z0-9_-]{8,}+(?:\.[A-Za-z0-9_-]*+){1,4}+|eyJ[A-Za-z0-9_-]*+"
#: What looks like a credential by itself, whatever stands before it: what every such text holds, its kind, its pattern.
_SHAPES = tuple(
    (needle, pattern, f"[redacted:{kind}]")
    for needle, kind, pattern in (
        ("sk-ant-", "anthropic-key", r"sk-ant-[A-Za-z0-9]" + _REST),
        ("sk-proj-", "openai-key", r"sk-proj-[A-Za-z0-9]" + _REST),
        ("sk-", "key", r"(?<![A-Za-z0-9])sk-(?=[A-Za-z_-]{0,64}+[0-9])[A-Za-z0-9_-]{16,}+"),
        ("_", "github-token", r"gh[opsur]_[A-Za-z0-9]{16}" + _REST),
        ("github_pat_", "github-token", r"github_pat_[A-Za-z0-9_]{16}" + _REST),
        ("A", "aws-key", r"A(?:KIA|SIA|BIA|CCA)[A-Z0-9]{16}" + _REST),
    )
)
_URL_PASSWORD = rf"(?<=://)([^\s/:@\"'<>]*+:)(?!{_DONE}@)([^\s/\"'<>]++)"
#: A header's value goes on to the end of the line or of the quoted text. "authorization: ask" is prose: no scheme follows.
_HEADER = (
    r"([xXpPaA](?=[-rRuU])(?i:(?<=x)-(?:goog-)?api-key[ \t]*+:[ \t]*+|(?:(?<=p)roxy-a|(?<=a))uthorization[ \t]*+:[ \t]*+"
    r"(?=(?:bearer|basic|digest|token|negotiate|aws4-hmac-sha256)[ \t])))"
    rf"(?!{_DONE})[^\s\"'\\][^\r\n\"'\\]*+"
)
_BEARER = r"([bB](?i:earer)[ \t]++)([A-Za-z0-9._~+/-]{8,}+=*+)"
_DIGIT = re.compile(r"[0-9]")

#: The names of variables and fields that hold a secret end in the pattern below. `key` alone is a word of every program:
#: in small letters it needs something before it, and no letter after it. A third of all letters can begin a name: the next two
#: are looked at first, in all the forms that count as the same letter, which takes a third of the time.
_NAMES = (
    r"(?:[kKtTsSpPaA](?=[eEoOaAuU][yYkK\u212acCsS\u017ftT])(?:(?<=K)EY|(?<=[A-Za-z0-9_.-][kK])(?i:ey)(?![A-Za-z])"
    r"|(?i:(?<=t)oken(?!s?_?(?:source|iz|type))|(?<=s)ecret|(?<=p)assw(?:or)?d|(?<=a)uthorization))"
    r")"
    r"[A-Za-z0-9_.-]{0,64}+"
)
# `inside` is not possessive, as the others are: before Python 3.11.5, such a group with a lookahead in it swallows what ends it.
_QUOTED = r"(?P<slash>\\{0,7}+)(?P<quote>[\"'])(?P<inside>(?:(?!(?<!\\)(?P=slash)(?P=quote))[^\n])+)"
_BARE = r"(?P<bare>[^\s\"'`&;<>|]++)"
_COUNT = re.compile(r"[0-9]{1,12}+")


#: Variables that hold a secret, also with an ending such as `_PROD` or `2`. Some endings say that it is elsewhere.
_SECRET_NAME = re.compile(
    r"(?:KEY|TOKEN|SECRET|PASSW(?:OR)?D|PASSPHRASE|CREDENTIAL|AUTH|HEADER)S?"
    r"(?:_?[0-9]+|_(?!FILE|PATH|DIR|SOCK|URL|ID|SOURCE|TYPE)[A-Z]{1,12})?$",
    re.IGNORECASE,
)
#: One of several headers in a variable, `name: value` or `name=value`; the scheme before a credential is not part of it.
_HEADER_VALUE = re.compile(r"[:=][ \t]*+(?:(?:bearer|basic|token)[ \t]++)?+([^\r\n,]++)", re.IGNORECASE)
#: Shorter values of variables are words and numbers; in the texts of a run they would be found everywhere.
_SHORTEST_SECRET = 8


def secret_values(environ: Mapping[str, str]) -> Iterator[str]:
    """The values in an environment that are credentials, by the names of their variables, and the passwords in addresses."""
    for name, value in environ.items():
        found = [secret.rpartition("@")[0] for _, secret in re.findall(_URL_PASSWORD, value)]
        if _SECRET_NAME.search(name):
            found.append(value.strip())
            found += (
                header[1].strip() for header in _HEADER_VALUE.finditer(value) if "HEADER" in name.upper()
            )
        yield from (secret for secret in found if len(secret) >= _SHORTEST_SECRET)


def redact(text: str) -> str:
    """``text`` with everything that looks like a credential replaced by ``[redacted:<kind>]``."""
    return _NOTHING_KNOWN.redact(text)


#: What is written in the place of a match.
_New: TypeAlias = str | Callable[[re.Match[str]], str]


class _Step:
    """One pattern, compiled when a text first may match it: all of them take 3 ms, and a plain run needs few."""

    def __init__(self, pattern: str, new: _New) -> None:
        self._source = pattern
        self.new = new

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        return re.compile(self._source)


class Redactor:
    """Redacts as ``redact`` does, and exact values as well: ``known`` credentials, as they are and as they travel.

    A known value is also found in base64 (inside longer text too), percent-encoded and escaped as in JSON.
    """

    def __init__(self, known: Iterable[str] = ()) -> None:
        self._forms: dict[str, None] = {}
        self._known: tuple[list[str], _Step] = ([], _Step("", ""))
        self.add_secret(*known)

    def add_secret(self, *values: str) -> None:
        """Redact these too from now on, also where this object is in use already. Any thread may call it."""
        forms = {form for value in values if len(value) >= _SHORTEST_KNOWN for form in _forms(value)}
        self._forms.update(dict.fromkeys(forms - self._forms.keys()))
        # Another thread may have learned something since, and been overwritten with less.
        while len(self._known[0]) != len(self._forms):
            # The longest first: a value that begins like another one must not leave its end behind.
            literals = sorted(self._forms, key=len, reverse=True)
            # What is redacted already comes first, or a known value such as "redacted" would be replaced for ever.
            self._known = literals, _Step(f"{_DONE}|({'|'.join(map(re.escape, literals))})", _known)

    def redact(self, text: str) -> str:
        """``text`` without credentials. Takes time in proportion to its length; never raises."""
        literals, known = self._known
        # Nearly no text holds one, and looking for each by itself takes a twentieth of the time of the pattern.
        if any(literal in text for literal in literals):
            text = known.pattern.sub(known.new, text)
        for needle, step in _STEPS:
            if needle in text:
                text = step.pattern.sub(step.new, text)
        return text


def _known(found: re.Match[str]) -> str:
    return "[redacted:known]" if found[1] else found[0]


def _jwt(found: re.Match[str]) -> str:
    return "[redacted:jwt]" if "." in found[0] else found[0]


def _url_password(found: re.Match[str]) -> str:
    password, at, host = found[2].rpartition("@")
    return f"{found[1]}[redacted:password]@{host}" if at and password else found[0]


def _bearer(found: re.Match[str]) -> str:
    # "bearer certificates" is prose: a token is long or holds a digit.
    is_prose = len(found[2]) < 20 and not _DIGIT.search(found[2])
    return found[0] if is_prose else f"{found[1]}[redacted:bearer]"


def _assigned(found: re.Match[str]) -> str:
    groups = found.groupdict()
    group = "inside" if groups["inside"] is not None else "bare"
    head = found[0][: found.start(group) - found.start()]
    if _WHOLLY_DONE.fullmatch(groups[group]) or (_counts_tokens(head) and _COUNT.fullmatch(groups[group])):
        return found[0]
    return f"{head}[redacted:value]"


def _counts_tokens(head: str) -> bool:
    # MAX_TOKENS=8000 is a number of tokens, not one of them.
    return "tokens" in head.lower()


def _forms(value: str) -> Iterator[str]:
    """A value as it is written in the places it travels through."""
    data = value.encode("utf-8", "replace")
    yield value
    for ascii_only in (True, False):
        escaped = json.dumps(value, ensure_ascii=ascii_only)[1:-1]
        yield escaped
        # JSON inside JSON: a tool's output that quotes a settings file.
        yield json.dumps(escaped, ensure_ascii=ascii_only)[1:-1]
    for written in (quote(data, safe=""), quote(data), quote_plus(data)):
        yield written
        yield re.sub("%[0-9A-F]{2}", lambda found: found[0].lower(), written)
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        pieces = (encode(data).decode("ascii"), *(_inner_base64(data, offset, encode) for offset in range(3)))
        yield from (piece for piece in pieces if len(piece) >= _SHORTEST_BASE64)


def _inner_base64(data: bytes, offset: int, encode: Callable[[bytes], bytes]) -> str:
    """The base64 characters that depend on ``data`` alone when ``offset`` (mod 3) bytes stand before it."""
    text = encode(b"\0" * offset + data).decode("ascii")
    shared = len(data) + offset
    first = (0, 2, 3)[offset]
    last = shared // 3 * 4 + (0, 1, 2)[shared % 3]
    return text[first:last]


_ASSIGNMENTS = tuple(
    (needle, pattern, _assigned)
    for needle, pattern in (
        # JSON, also JSON inside JSON: "api_key": "..."
        (":", rf"{_NAMES}\\{{0,7}}+[\"']\s*+:\s*+{_QUOTED}"),
        # Shells, .env files, query strings: API_KEY=...
        ("=", rf"{_NAMES}=(?![=>])(?:{_QUOTED}|{_BARE})"),
        # Programs and TOML: api_key = "..."
        ("=", rf"{_NAMES}[ \t]*+=[ \t]*+{_QUOTED}"),
        # YAML with the name of a variable: ANTHROPIC_API_KEY: ...
        (":", rf"(?<=_)(?:KEY|TOKEN|SECRET|PASSWORD)[A-Z0-9_]{{0,64}}+:[ \t]++(?:{_QUOTED}|{_BARE})"),
    )
)
#: In this order: what every text holds that the pattern matches, the pattern, and what is written instead. Nearly every text is
#: an identifier or a word, and looking for the first takes a twentieth of the time of the pattern.
_ALL: tuple[tuple[str, str, _New], ...] = (
    ("-----BEGIN ", _PRIVATE_KEY, "[redacted:private-key]"),
    *_SHAPES,
    ("eyJ", _JWT, _jwt),
    ("://", _URL_PASSWORD, _url_password),
    (":", _HEADER, r"\1[redacted:header]"),
    ("", _BEARER, _bearer),
    *_ASSIGNMENTS,
)
_STEPS = tuple((needle, _Step(pattern, new)) for needle, pattern, new in _ALL)
_NOTHING_KNOWN = Redactor()
