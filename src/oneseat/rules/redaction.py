"""Removes credentials from text before it is shown or stored, in time linear in the text's length.

Every pattern is anchored on a few fixed characters and uses possessive quantifiers, so no input makes it backtrack. Each match
consumes the rest of the word it ends in, so that redacting a redacted text changes nothing.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property
from typing import TypeAlias
from urllib.parse import quote, quote_plus

#: Shorter values are ordinary words: redacting every `on` would hide nothing and garble much.
_SHORTEST_KNOWN = 4
#: Of shorter values, only the usual encodings are looked for: others would match by chance.
_SHORTEST_DISGUISED = 16
#: What can stand between the characters of a value that was broken: white space, written line breaks, and what is not seen.
_UNSEEN = ("\\n", "\u200b", "\u200c", "\u200d", "\u2060", "\ufeff")
_GAP = rf"(?:\s|{'|'.join(map(re.escape, _UNSEEN))})*+"
#: A shorter piece of base64 matches by chance.
_SHORTEST_BASE64 = 8
_DONE = r"\[redacted:[a-z-]{1,32}+\]"
_WHOLLY_DONE = re.compile(_DONE)
_REST = r"[A-Za-z0-9_-]*+"

_PRIVATE_KEY = (
    r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----"
    r"(?:(?!-----END )[A-Za-z0-9+/=\s:,.()\\-])*+(?:-----END [A-Z0-9 ]{0,60}+-----)?+"
)
#: The second half consumes what is not a token: otherwise `eyJeyJeyJ...` would be scanned again from each `eyJ`.
_JWT = r"eyJ[A-Za-z0-9_-]{8,}+(?:\.[A-Za-z0-9_-]*+){1,4}+|eyJ[A-Za-z0-9_-]*+"
#: Credentials recognisable by their form: a fixed part, the kind, the pattern.
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
#: A header's value extends to the end of the line or quoted string. "authorization: ask" is prose: it has no scheme.
_HEADER = (
    r"([xXpPaA](?=[-rRuU])(?i:(?<=x)-(?:goog-)?api-key[ \t]*+:[ \t]*+|(?:(?<=p)roxy-a|(?<=a))uthorization[ \t]*+:[ \t]*+"
    r"(?=(?:bearer|basic|digest|token|negotiate|aws4-hmac-sha256)[ \t])))"
    rf"(?!{_DONE})[^\s\"'\\][^\r\n\"'\\]*+"
)
_BEARER = r"([bB](?i:earer)[ \t]++)([A-Za-z0-9._~+/-]{8,}+=*+)"
_DIGIT = re.compile(r"[0-9]")

#: Names of variables and fields with a secret end in the pattern below. `key` alone is an ordinary word: in lower case it needs
#: something before it and no letter after it. The lookahead checks the next two letters of a name first, in all case variants,
#: because a third of all letters can begin a name; that takes a third of the time.
_NAMES = (
    r"(?:[kKtTsSpPaA](?=[eEoOaAuU][yYkK\u212acCsS\u017ftT])(?:(?<=K)EY|(?<=[A-Za-z0-9_.-][kK])(?i:ey)(?![A-Za-z])"
    r"|(?i:(?<=t)oken(?!s?_?(?:source|iz|type))|(?<=s)ecret|(?<=p)assw(?:or)?d|(?<=a)uthorization))"
    r")"
    r"[A-Za-z0-9_.-]{0,64}+"
)
# Unlike the others, `inside` is not possessive: before Python 3.11.5, such a group with a lookahead consumes its own terminator.
_QUOTED = r"(?P<slash>\\{0,7}+)(?P<quote>[\"'])(?P<inside>(?:(?!(?<!\\)(?P=slash)(?P=quote))[^\n])+)"
_BARE = r"(?P<bare>[^\s\"'`&;<>|]++)"
_COUNT = re.compile(r"[0-9]{1,12}+")


#: Variables that contain a secret, with an optional suffix such as `_PROD` or `2`. With some suffixes they do not contain one.
_SECRET_NAME = re.compile(
    r"(?:KEY|TOKEN|SECRET|PASSW(?:OR)?D|PASSPHRASE|CREDENTIAL|AUTH|HEADER)S?"
    r"(?:_?[0-9]+|_(?!FILE|PATH|DIR|SOCK|URL|ID|SOURCE|TYPE)[A-Z]{1,12})?$",
    re.IGNORECASE,
)
#: One of several headers in a variable, `name: value` or `name=value`, without the scheme before the credential.
_HEADER_VALUE = re.compile(r"[:=][ \t]*+(?:(?:bearer|basic|token)[ \t]++)?+([^\r\n,]++)", re.IGNORECASE)
#: Shorter values of variables are words and numbers that occur everywhere in a run's texts.
_SHORTEST_SECRET = 8


def secret_values(environ: Mapping[str, str]) -> Iterator[str]:
    """The values of an environment that are credentials, by the variables' names, and the passwords in URLs."""
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


#: The replacement of a match.
_New: TypeAlias = str | Callable[[re.Match[str]], str]


class _Step:
    """One pattern, compiled on first use: compiling all takes 3 ms, and a plain run needs few."""

    def __init__(self, pattern: str, new: _New) -> None:
        self._source = pattern
        self.new = new

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        return re.compile(self._source)


class Redactor:
    """Redacts like ``redact``, and ``known`` credentials by their exact value.

    A known value is also found in base64 (inside longer text too), percent-encoded, and escaped as in JSON. One of at least 16
    characters is found too in hex, base32 and double base64, as escapes of all its characters, in other case, backwards, and
    broken by white space or characters that are not seen.
    """

    def __init__(self, known: Iterable[str] = ()) -> None:
        self._forms: dict[str, None] = {}
        self._known: tuple[list[str], _Step] = ([], _Step("", ""))
        self._broken: dict[str, _Step] = {}
        self.add_secret(*known)

    def add_secret(self, *values: str) -> None:
        """Redact these too from now on, also where this object is already in use. Thread-safe."""
        forms = {form for value in values if len(value) >= _SHORTEST_KNOWN for form in _forms(value)}
        self._forms.update(dict.fromkeys(forms - self._forms.keys()))
        for value in values:
            if len(value) >= _SHORTEST_DISGUISED:
                # Without a gap it is found already, and a second look would find nothing.
                self._broken[value] = _Step(_GAP.join(map(re.escape, value)), "[redacted:known]")
        # Two threads that add at once must not overwrite each other.
        while len(self._known[0]) != len(self._forms):
            # Longest first: otherwise the end of a value that starts with another one would remain.
            literals = sorted(self._forms, key=len, reverse=True)
            # Skip what is already redacted, or a known value such as "redacted" would be replaced again and again.
            self._known = literals, _Step(f"{_DONE}|({'|'.join(map(re.escape, literals))})", _known)

    def redact(self, text: str) -> str:
        """``text`` without credentials. Takes time in proportion to its length; never raises."""
        literals, known = self._known
        # Hardly any text contains one, and plain searches take a twentieth of the pattern's time.
        if any(literal in text for literal in literals):
            text = known.pattern.sub(known.new, text)
        if self._broken:
            joined = "".join(text.split())
            for unseen in _UNSEEN:
                joined = joined.replace(unseen, "")
            for value, broken in tuple(self._broken.items()):
                if value in joined:
                    text = broken.pattern.sub(broken.new, text)
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
    # "bearer certificates" is prose: a token is long or contains a digit.
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
    # MAX_TOKENS=8000 is a count, not a token.
    return "tokens" in head.lower()


def _forms(value: str) -> Iterator[str]:
    """A value in every encoding in which it may occur."""
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

    if len(value) >= _SHORTEST_DISGUISED:
        yield from _disguises(value, data)


def _disguises(value: str, data: bytes) -> Iterator[str]:
    """A value in encodings that nothing but a disguise has a use for."""
    yield from (value[::-1], value.upper(), value.lower(), value.swapcase())
    yield from (data.hex(), data.hex().upper(), data.hex(" "), data.hex(":"))
    yield from (
        base64.b32encode(data).decode().rstrip("="),
        base64.b32encode(data).decode().rstrip("=").lower(),
    )
    yield base64.b64encode(base64.b64encode(data)).decode()
    for form in ("\\u%04x", "\\u%04X", "\\x%02x", "\\x%02X", "&#%d;", "&#x%x;", "&#x%X;"):
        yield "".join(form % ord(char) for char in value)
    for form in ("%%%02x", "%%%02X"):
        yield "".join(form % byte for byte in data)


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
#: A literal contained in every match, the pattern, and the replacement. Nearly every text is an identifier or a word, and a
#: search for the literal takes a twentieth of the pattern's time.
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
