"""No credential survives redaction, ordinary text does, and no text makes it slow."""

from __future__ import annotations

import base64
import json
import string
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import quote

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from oneseat.rules.redaction import Redactor, redact

ALNUM = string.ascii_letters + string.digits
WORD = ALNUM + "_-"
PEM_BODY = ALNUM + "+/=\n"


def text_of(alphabet: str, low: int, high: int = 60) -> st.SearchStrategy[str]:
    return st.text(alphabet, min_size=low, max_size=high)


#: Credentials by kind, each as (what is written, the part that must be gone).
PLANTED = st.one_of(
    st.builds("sk-ant-{}{}".format, st.sampled_from(["api03-", "oat01-", "ort01-"]), text_of(WORD, 8)).map(
        lambda it: (it, it)
    ),
    text_of(ALNUM, 20).map(lambda it: (f"sk-proj-{it}", it)),
    text_of(ALNUM, 20).map(lambda it: (f" sk-1{it}", it)),
    st.builds("gh{}_{}".format, st.sampled_from("opsur"), text_of(ALNUM, 36)).map(lambda it: (it, it)),
    text_of(ALNUM + "_", 40).map(lambda it: (f"github_pat_{it}", it)),
    text_of(string.ascii_uppercase + string.digits, 16, 16).map(lambda it: (f"AKIA{it}", it)),
    st.builds("eyJ{}.{}.{}".format, text_of(WORD, 12), text_of(WORD, 12), text_of(WORD, 12)).map(
        lambda it: (it, it)
    ),
    text_of(PEM_BODY, 40, 200).map(
        lambda it: (f"-----BEGIN RSA PRIVATE KEY-----\n{it}\n-----END RSA PRIVATE KEY-----", it)
    ),
    text_of(ALNUM, 8).map(lambda it: (f"Bearer 1{it}", f"1{it}")),
    text_of(ALNUM + "!$%*+,.:?~", 8).map(lambda it: (f"x-api-key: {it}", it)),
    text_of(ALNUM + "+/=", 8).map(lambda it: (f"Authorization: Basic {it}", it)),
    text_of(ALNUM + "!$%*+,.?~@", 8).map(lambda it: (f"postgres://me:{it}@db.example:5432/x", it)),
    st.builds(
        lambda name, value: (f"{name}={value}", value),
        st.sampled_from(["ANTHROPIC_API_KEY", "GITHUB_TOKEN", "MY_SECRET", "DB_PASSWORD", "SIGNING_KEY_2"]),
        text_of(ALNUM + "!#$%*+,./:?@^_~", 8),
    ),
    st.builds(
        lambda name, value: (json.dumps({name: value}), json.dumps(value)[1:-1]),
        st.sampled_from(["apiKey", "api_key", "accessToken", "client_secret", "password", "OPENAI_API_KEY"]),
        text_of(string.printable, 8),
    ),
    st.builds(
        lambda name, value: (json.dumps(json.dumps({name: value})), value),
        st.sampled_from(["apiKey", "accessToken", "password"]),
        text_of(ALNUM, 8),
    ),
    text_of(ALNUM, 8).map(lambda it: (f'api_key = "{it}"', it)),
    text_of(ALNUM, 8).map(lambda it: (f"ANTHROPIC_API_KEY: {it}\n", it)),
)
ORDINARY = """
The quick brown fox reads a key, a token and a secret of 42 pages; the password policy says: bearer certificates
(task-based, risk-free) are sk-learn's. https://example.com/a?b=c&d=e user@example.com key=len MAX_TOKENS=8000 12:30
C:\\dir [x] {y} 'z' "w" authorization is needed, ask eyJ "input_tokens":12 https://host:8080/p@th
"tokenSource":"CLAUDE_CODE_OAUTH_TOKEN" "apiKeySource":"none"
"""
PROSE = st.lists(st.sampled_from(ORDINARY.split())).map(" ".join)


@given(before=st.text(), planted=PLANTED, after=st.text())
@example(before="x", planted=("sk-ant-api03-abcdefgh", "sk-ant-api03-abcdefgh"), after="y")
@example(before="Authorization:", planted=("x-api-key: 12345678", "12345678"), after="")
@example(before="eyJ.", planted=("eyJhbGciOiJI.eyJzdWIi.c2ln", "eyJzdWIi.c2ln"), after="")
def test_a_planted_credential_never_survives(before: str, planted: tuple[str, str], after: str) -> None:
    written, secret = planted
    assume(secret not in before and secret not in after)
    cleaned = redact(f"{before}{written}{after}")
    assert secret not in cleaned
    assert "[redacted:" in cleaned


#: What patterns begin, end and are refused with, so that one may reach from a line into the next.
ENDS = st.sampled_from(
    [
        '"api_key":',
        '"max_tokens": ',
        '"',
        "'8000'",
        "token=",
        "Bearer ",
        "Authorization: ",
        "://me:",
        "secret",
        "\\",
    ]
)


@given(
    st.lists(
        st.lists(st.one_of(PLANTED.map(lambda it: it[0]), st.text(), PROSE, ENDS), max_size=3).map("".join)
    )
)
@example(["key_of_two\nlines", "x"])
@example(['"max_tokens": ', "'8000' API_KEY=\"abcdefgh\""])
def test_what_is_found_in_a_text_is_found_among_others_as_well(texts: list[str]) -> None:
    redactor = Redactor(["of_two\nlines"])
    if any(redactor.redact(text) != text for text in texts):
        assert redactor.redact("\n".join(texts)) != "\n".join(texts)


@pytest.mark.parametrize(
    "name",
    [
        "DB_PassWord",
        "pa\u017f\u017fword",
        "my_to\u212aen",
        "MyKey",
        "client_SECRET2",
        "aUTHorization",
        "MYKEY",
    ],
)
def test_a_name_is_known_in_all_letters_that_count_as_the_same(name: str) -> None:
    assert redact(f"{name}=hunter2222") == f"{name}=[redacted:value]"


@given(PROSE)
def test_ordinary_text_is_unchanged(text: str) -> None:
    assert redact(text) == text


@given(st.lists(st.one_of(PLANTED.map(lambda it: it[0]), st.text(), PROSE)).map("".join))
def test_redacting_twice_is_redacting_once(text: str) -> None:
    once = redact(text)
    assert redact(once) == once


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("export ANTHROPIC_API_KEY=abc; ls", "export ANTHROPIC_API_KEY=[redacted:value]; ls"),
        ("ANTHROPIC_AUTH_TOKEN='a b c' x", "ANTHROPIC_AUTH_TOKEN='[redacted:value]' x"),
        ('{"password": "a\\"b", "user": "me"}', '{"password": "[redacted:value]", "user": "me"}'),
        ('"{\\"apiKey\\":\\"a\\",\\"x\\":1}"', '"{\\"apiKey\\":\\"[redacted:value]\\",\\"x\\":1}"'),
        ("https://me:pw@host/p", "https://me:[redacted:password]@host/p"),
        ("https://me:p@w@host/p", "https://me:[redacted:password]@host/p"),
        ("redis://:pw@host", "redis://:[redacted:password]@host"),
        ("?access_token=abc&page=2", "?access_token=[redacted:value]&page=2"),
        ("x-api-key: abc def\r\nHost: x", "x-api-key: [redacted:header]\r\nHost: x"),
        ("Authorization: Basic dTpw\nx", "Authorization: [redacted:header]\nx"),
        ("curl -H 'authorization: bearer abc' x", "curl -H 'authorization: [redacted:header]' x"),
        ("key sk-ant-oat01-FAKE.", "key [redacted:anthropic-key]."),
        ("it says eyJhbGciOiJI.eyJzdWIi.c2ln!", "it says [redacted:jwt]!"),
        ("-----BEGIN PRIVATE KEY-----\nMIIE\n", "[redacted:private-key]"),
        ("MAX_TOKENS=8000 SECRET=8000", "MAX_TOKENS=8000 SECRET=[redacted:value]"),
        ("if token == other: pass", "if token == other: pass"),
        ("authorization: ask the owner", "authorization: ask the owner"),
        ("", ""),
    ],
)
def test_what_stays_readable(text: str, cleaned: str) -> None:
    assert redact(text) == cleaned


@given(before=st.text(), secret=st.text(min_size=4, max_size=40), after=st.text())
def test_a_known_value_never_survives_in_any_form(before: str, secret: str, after: str) -> None:
    assume("[redacted:" not in secret)
    redactor = Redactor(known=(secret,))
    for form in (
        secret,
        json.dumps(secret)[1:-1],
        json.dumps(secret, ensure_ascii=False)[1:-1],
        quote(secret, safe="", errors="replace"),
    ):
        cleaned = redactor.redact(f"{before}{form}{after}")
        assert form not in cleaned.replace("[redacted:known]", "")
        assert redactor.redact(cleaned) == cleaned


@given(
    before=st.binary(max_size=9), secret=st.text(ALNUM, min_size=12, max_size=40), after=st.binary(max_size=9)
)
def test_a_known_value_is_found_inside_base64(before: bytes, secret: str, after: bytes) -> None:
    data = before + secret.encode() + after
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        cleaned = Redactor(known=(secret,)).redact(encode(data).decode())
        assert "[redacted:known]" in cleaned
        # Two characters at either end are shared with a neighbour; no more than that is left of it.
        left = cleaned.replace("[redacted:known]", "")
        assert len(left) <= (len(before) + len(after)) * 4 / 3 + 8


def test_values_too_short_to_be_credentials_are_left_alone() -> None:
    assert Redactor(known=("", "on")).redact("on and on") == "on and on"


def test_a_known_value_that_looks_like_a_placeholder_is_replaced_once() -> None:
    redactor = Redactor(known=("redacted", "known"))
    assert redactor.redact("a known [redacted:known] thing") == "a [redacted:known] [redacted:known] thing"


@pytest.mark.parametrize(
    "unit",
    [
        "a",
        "eyJ",
        "sk-",
        "KEY",
        "token ",
        'token"',
        'KEY="',
        "KEY='\\",
        "-----BEGIN PRIVATE KEY-----",
        "://",
        "://a:b@",
        "bearer ",
        "authorization:",
        "KEY=[redacted:",
        "\\",
        " ",
        "token" + "a" * 64,
        "ghp_",
    ],
)
def test_a_megabyte_of_anything_takes_less_than_a_second(unit: str) -> None:
    text = unit * (1_000_000 // len(unit))
    began = time.process_time()
    redact(text)
    assert time.process_time() - began < 1.0


def test_what_is_learned_later_is_redacted_wherever_the_redactor_is_in_use() -> None:
    redactor = Redactor(["first-known-one"])
    in_use = redactor.redact
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(redactor.add_secret, [f"made-up-{number:04}-value" for number in range(64)]))
    assert not any("value" in in_use(f"x made-up-{number:04}-value y") for number in range(64))
    assert in_use("first-known-one") == "[redacted:known]"
