"""`oneseat serve` and `oneseat clients` as a user types them."""

from __future__ import annotations

import signal
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from oneseat.testing import Behaviour
from oneseat.testing.fake_cli import Result, Say
from tests.e2e.driving import Seat, check_snapshot, fake_seat


@pytest.fixture
def seat(tmp_path: Path) -> Iterator[Seat]:
    seat, _ = fake_seat(tmp_path, Behaviour(on_user=(Say("ok"), Result("ok"))))
    yield seat
    seat.assert_nothing_left()


def add(seat: Seat, *options: str) -> str:
    key: str = seat.run("clients", "add", "mine", "--author", "me", "--json", *options).result["key"]
    assert key.startswith("osk_")
    return key


def test_the_server_says_where_it_is_and_serves_commands_and_clients_alike(seat: Seat) -> None:
    key = add(seat, "--reader", "me", "--work-of", "me")
    with seat.start("serve", "--port", "0") as live:
        url = live.read_until("stop with Ctrl-C\n").splitlines()[0].removeprefix("Listening on ")
        assert url.startswith("http://127.0.0.1:")
        body = b'{"model":"sonnet","messages":[{"role":"user","content":"hi"}]}'
        asked = urllib.request.Request(f"{url}/v1/chat/completions", body, {"x-api-key": key})
        with urllib.request.urlopen(asked) as said:
            assert b'"content":"ok"' in said.read()
        assert seat.run("run", "hi", "--quiet").stdout == "ok\n"
        live.signal(signal.SIGTERM)
        ended = live.finish()
    assert (ended.code, ended.stderr) == (0, "")


def test_a_port_that_is_taken_is_named_with_what_to_do(seat: Seat) -> None:
    with seat.start("serve", "--port", "0") as live:
        port = live.read_until("stop with Ctrl-C\n").splitlines()[0].rpartition(":")[2]
        (seat.root / "other").mkdir()
        other = Seat(seat.root / "other", Path(seat.env["ONESEAT_CLAUDE_PATH"]))
        refused = other.run("serve", "--port", port)
        assert (refused.code, f"127.0.0.1:{port}" in refused.stderr, "--port 0" in refused.stderr) == (
            2,
            True,
            True,
        )
        live.signal(signal.SIGTERM)
        live.finish()


def test_a_certificate_that_cannot_be_used_is_named(seat: Seat) -> None:
    refused = seat.run("serve", "--port", "0", "--tls-cert", "no-such.pem", "--tls-key", "no-such.key")
    assert (refused.code, "no-such.pem" in refused.stderr) == (2, True)


def test_clients_are_listed_without_keys_rotated_and_removed(seat: Seat) -> None:
    key = add(seat, "--wallets", "api_key", "--day-budget", "2.50")
    (client,) = seat.run("clients", "list", "--json").result["clients"]
    assert (client["name"], client["wallets"], client["purpose"]["reader"]) == (
        "mine",
        ["api_key"],
        "unknown",
    )
    check_snapshot("clients-list", seat, seat.run("clients", "list"))
    rotated = seat.run("clients", "rotate", "mine", "--json").result
    assert (rotated["client"], rotated["key"] != key) == ("mine", True)
    assert seat.run("clients", "remove", "mine", "--json").result == {"removed": "mine"}
    assert seat.run("clients", "list", "--json").result == {"clients": []}


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("add", "mine"), "usage.arguments"),
        (("add", "a/b"), "usage.arguments"),
        (("add", "new", "--tools", "read"), "usage.arguments"),
        (("add", "new", "--wallets", "gold"), "usage.arguments"),
        (("add", "new", "--role", "none"), "usage.unknown_role"),
        (("add", "new", "--project", "none"), "usage.unknown_project"),
        (("add", "new", "--day-budget", "0"), "usage.arguments"),
        (("rotate", "minee"), "usage.unknown_client"),
        (("remove", "other"), "usage.unknown_client"),
    ],
)
def test_what_does_not_fit_is_refused(seat: Seat, arguments: tuple[str, ...], code: str) -> None:
    add(seat)
    refused = seat.run("clients", *arguments, "--json")
    assert (refused.code, refused.result["error"]["code"]) == (2, code)
