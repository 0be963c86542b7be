"""The simulator's address: whatever is taken is on this machine, to every reader of URLs."""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oneseat.contract.errors import ErrorInfo, UsageError
from oneseat.settings import load

GOOD_URLS = [
    "http://127.0.0.1:8700",
    "http://127.0.0.1:1/s/ok/run-1",
    "http://localhost:65535/",
    "http://[::1]:80/a//b..c/~d",
]
BAD_URLS = [
    "http://127.0.0.1@evil.example:80",
    "http://127.0.0.1:80@evil.example",
    "http://127.0.0.1:80@evil.example:80/",
    "http://user:pass@127.0.0.1:80",
    "http://@127.0.0.1:80",
    "http://127.0.0.1.evil.example:80",
    "http://localhost.evil.example:80",
    "http://localhost.:80",
    "http://127.0.0.1.:80",
    "http://127.1:80",
    "http://127x0.0.1:80",
    "http://127.0x0.1:80",
    "http://127.0.0x1:80",
    "http://[::1:80",
    "http://127.0.0.2:80",
    "http://2130706433:80",
    "http://0x7f000001:80",
    "http://0177.0.0.1:80",
    "http://0:80",
    "http://0.0.0.0:80",
    "http://[::]:80",
    "http://[::1%25lo]:80",
    "http://[::1%lo]:80",
    "http://[0:0:0:0:0:0:0:1]:80",
    "http://[::ffff:127.0.0.1]:80",
    "http://::1:80",
    "http://[::1]evil.example:80",
    "HTTP://127.0.0.1:80",
    "http://LOCALHOST:80",
    "http://ⓛocalhost:80",
    "http://\uff11\uff12\uff17.\uff10.\uff10.\uff11:80",
    "http://127.0.0.1:\uff18\uff10",
    "http://127.0.0.1:٨٠",
    "http://127。0。0。1:80",
    "http://127.0.0.1",
    "http://127.0.0.1:",
    "http://127.0.0.1:/",
    "http://127.0.0.1:0",
    "http://127.0.0.1:080",
    "http://127.0.0.1:65536",
    "http://127.0.0.1:99999999999999999999",
    "http://127.0.0.1:-80",
    "http://127.0.0.1:+80",
    "http://127.0.0.1:8 0",
    "https://127.0.0.1:80",
    "ftp://127.0.0.1:80",
    "//127.0.0.1:80",
    "127.0.0.1:80",
    "http:127.0.0.1:80",
    "http:/127.0.0.1:80",
    "http:///127.0.0.1:80",
    "http:\\\\127.0.0.1:80",
    "http://127.0.0.1:80\\@evil.example",
    "http://127.0.0.1:80\\.evil.example",
    "http://127.0.0.1:80?x=1",
    "http://127.0.0.1:80/?x=1",
    "http://127.0.0.1:80#@evil.example",
    "http://127.0.0.1:80/#a",
    "http://127.0.0.1:80/%2e%2e/@evil",
    "http://127.0.0.1:80/a b",
    "http://127.0.0.1:80\n",
    "http://127.0.0.1:80/\r\nHost: evil.example",
    " http://127.0.0.1:80",
    "http://127.0.0.1:80 ",
    "http://127.0.0.1:80\u2028",
    "http://127.0.0.1\t:80",
    "http://evil.example:80/127.0.0.1",
    "http://",
    "x",
]


def refusal(url: Any) -> ErrorInfo:
    with pytest.raises(UsageError) as caught:
        simulator_url(url)
    return caught.value.info


def simulator_url(value: Any) -> str | None:
    """What the settings make of a simulator address."""
    nowhere = Path("/nonexistent")
    return load({}, nowhere, nowhere, {"simulator.url": value}).simulator_url


@pytest.mark.parametrize("url", GOOD_URLS)
def test_a_loopback_address_is_taken_with_its_path(url: str) -> None:
    assert simulator_url(url) == url.rstrip("/")


@pytest.mark.parametrize("url", [*BAD_URLS, "", 8700, True, ["http://127.0.0.1:80"]])
def test_anything_else_is_refused(url: Any) -> None:
    assert refusal(url).code == "usage.simulator_not_loopback"


def test_the_refusal_names_the_address_without_the_credentials_in_it() -> None:
    secrets = ("s3cr3t", "pa55@w0rd/x1y", "tok3n")
    for secret in secrets:
        for url in (
            f"http://u:{secret}@evil.example:80/",
            f"u:{secret}@evil.example",
            f"http://evil.example/?k={secret}",
        ):
            message = refusal(url).message
            assert not any(part in message for part in re.split("[@/]", secret))
            assert "evil.example" in message or "?k=pa55@" in url
    assert refusal("http://u:p@evil.example:80/x?y") == ErrorInfo(
        code="usage.simulator_not_loopback",
        message='Setting cannot be used: `simulator.url = "http://…@evil.example:80/x"`\n'
        "  given as an argument; expected `http://127.0.0.1:PORT`, `http://localhost:PORT` or `http://[::1]:PORT`,"
        " with or without a path",
        hint="Name a simulator on this machine: `export ONESEAT_SIMULATOR_URL=http://127.0.0.1:8700`",
    )


# What addresses are made of, and what has fooled readers of them.
HOSTS = [
    "127.0.0.1",
    "localhost",
    "[::1]",
    "evil.example",
    "::1",
    "0x7f",
    "user:pass@",
    "\uff11",
    "\u3002",
    "\u200b",
]
SIGNS = ["@", ":", "/", "//", "\\", "?", "#", "%40", "%25", ".", "..", "[", "]", "\t"]
PIECES = st.sampled_from(["http://", "https://", "HTTP://", "80", "8700", ":8700", *HOSTS, *SIGNS])


@st.composite
def almost_good(draw: st.DrawFn) -> str:
    url = draw(st.sampled_from(GOOD_URLS))
    start = draw(st.integers(0, len(url)))
    end = draw(st.integers(start, len(url)))
    return url[:start] + draw(st.text(max_size=3)) + url[end:]


@given(st.lists(PIECES, max_size=12).map("".join) | st.text() | almost_good())
def test_whatever_is_taken_is_loopback_to_every_reader(url: str) -> None:
    try:
        taken = simulator_url(url)
    except UsageError:
        return
    assert taken is not None
    assert taken.isascii()
    assert taken.isprintable()
    parts = urlsplit(taken)
    assert parts.scheme == "http"
    assert parts.username is parts.password is None
    assert parts.query == parts.fragment == ""
    assert parts.port in range(1, 65536)
    assert parts.hostname == "localhost" or ipaddress.ip_address(parts.hostname or "").is_loopback
    # Who reads only up to the first slash sees the same host.
    hosts = {f"{host}:{parts.port}" for host in ("127.0.0.1", "localhost", "[::1]")}
    assert taken.split("/")[2] in hosts
