"""The guard that keeps every test on this machine."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest


@pytest.mark.parametrize("address", [("192.0.2.1", 443), ("2001:db8::1", 443)])
def test_a_connection_to_another_machine_raises(address: tuple[str, int]) -> None:
    family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    with (
        socket.socket(family) as client,
        pytest.raises(BaseException, match="a test tried to reach") as caught,
    ):
        client.connect(address)
    assert not isinstance(caught.value, Exception), "an `except Exception` of ours could swallow it"


def test_a_look_up_of_a_vendor_raises() -> None:
    with pytest.raises(BaseException, match=r"a test tried to reach `api\.anthropic\.com`"):
        socket.getaddrinfo("api.anthropic.com", 443)


def test_a_datagram_to_another_machine_raises() -> None:
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client,
        pytest.raises(BaseException, match="a test tried to reach"),
    ):
        client.sendto(b"hello", ("192.0.2.1", 53))


def test_this_machine_can_be_reached() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        socket.create_connection(("localhost", server.getsockname()[1])).close()


def test_the_home_is_scratch_and_nothing_of_the_caller_is_left(scratch_environment: Path) -> None:
    assert Path.home() == scratch_environment
    assert list(scratch_environment.iterdir()) == []
    assert [name for name in os.environ if name.startswith(("ANTHROPIC", "CLAUDE", "AWS", "XDG"))] == []
    assert os.environ["ONESEAT_HOME"].startswith(str(scratch_environment))
