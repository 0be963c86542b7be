"""A door that only its owner can open: unix sockets, and the loopback door of systems that have none."""

from __future__ import annotations

import asyncio
import os
import socket
import stat
import struct
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from oneseat.host.endpoint import (
    LoopbackEndpoint,
    UnixEndpoint,
    UntrustedError,
    check_private,
    peer_uid,
    uid_of_xucred,
)
from oneseat.host.paths import Paths
from oneseat.host.quick_paths import serve_folder

Doors = type[UnixEndpoint] | type[LoopbackEndpoint]
BOTH = pytest.mark.parametrize("kind", [UnixEndpoint, LoopbackEndpoint])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "serve"


@asynccontextmanager
async def opened(door: UnixEndpoint | LoopbackEndpoint) -> AsyncIterator[list[bool]]:
    """An open door that says `in` to whom it admits; yields whom it did."""
    admitted: list[bool] = []

    async def meet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            admitted.append(await door.admits(reader, writer))
            writer.write(b"in" if admitted[-1] else b"")
            await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            admitted.append(False)
        finally:
            writer.close()

    server = await asyncio.start_server(meet, sock=door.listen())
    try:
        yield admitted
    finally:
        server.close()
        door.close()


def read(path: Path) -> str:
    return path.read_text("ascii")


def write(path: Path, text: str) -> None:
    path.write_text(text, "ascii")


def names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def open_wide(folder: Path) -> None:
    folder.chmod(0o755)
    (folder / "serve.sock").chmod(0o666)


def greeted(connect: Callable[[], socket.socket]) -> bytes:
    with connect() as connection:
        return connection.recv(10)


@BOTH
async def test_the_owner_comes_in(kind: Doors, folder: Path) -> None:
    async with opened(kind(str(folder))) as admitted:
        assert await asyncio.to_thread(greeted, kind(str(folder)).connect) == b"in"
    assert admitted == [True]


@BOTH
async def test_a_door_that_was_left_is_replaced_and_one_that_is_closed_is_gone(
    kind: Doors, folder: Path
) -> None:
    left = kind(str(folder))
    left.listen().close()
    with pytest.raises(OSError):  # noqa: PT011 - refused or untrusted, by what now has the port
        kind(str(folder)).connect()
    async with opened(kind(str(folder))) as admitted:
        assert await asyncio.to_thread(greeted, kind(str(folder)).connect) == b"in"
    assert (admitted, names(folder)) == ([True], [])
    with pytest.raises(FileNotFoundError):
        kind(str(folder)).connect()


@BOTH
def test_what_is_left_in_the_folder_is_for_the_owner_alone(kind: Doors, folder: Path) -> None:
    door = kind(str(folder))
    with door.listen():
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert stat.S_IMODE(Path(door.address).stat().st_mode) == 0o600


@BOTH
@pytest.mark.parametrize("trick", ["open folder", "linked folder", "linked door", "not a door"])
def test_what_is_not_plainly_the_owners_is_not_used(
    kind: Doors, trick: str, folder: Path, tmp_path: Path
) -> None:
    door = kind(str(folder))
    with door.listen():
        if trick == "open folder":
            folder.chmod(0o755)
        elif trick == "linked folder":
            folder.rename(tmp_path / "elsewhere")
            folder.symlink_to(tmp_path / "elsewhere")
        else:
            Path(door.address).rename(tmp_path / "elsewhere")
            if trick == "linked door":
                Path(door.address).symlink_to(tmp_path / "elsewhere")
            else:
                Path(door.address).mkdir()
        with pytest.raises(UntrustedError):
            door.connect()
        if trick.endswith("folder"):
            with pytest.raises(UntrustedError):
                kind(str(folder)).listen()


def test_a_folder_of_another_user_is_not_used(folder: Path) -> None:
    folder.mkdir(0o700)
    check_private(str(folder))
    if os.geteuid() == 0:
        os.chown(folder, 65534, 65534)
        with pytest.raises(UntrustedError, match="another user"):
            check_private(str(folder))


async def test_another_user_is_not_let_in(folder: Path) -> None:
    """The superuser can play another user; anybody else can only be told who they are."""
    async with opened(UnixEndpoint(str(folder))) as admitted:
        # Wide open, so that only the question who is there is left.
        open_wide(folder)
        stranger = 65534 if os.geteuid() == 0 else os.geteuid()
        program = (
            "import os, socket, sys; os.chdir(sys.argv[1]);"
            "os.geteuid() == int(sys.argv[2]) or os.setuid(int(sys.argv[2]));"
            "it = socket.socket(socket.AF_UNIX); it.connect('serve.sock'); sys.stdout.buffer.write(it.recv(10))"
        )
        heard = await asyncio.to_thread(
            subprocess.run,
            [sys.executable, "-IS", "-c", program, str(folder), str(stranger)],
            capture_output=True,
            check=True,
        )
        assert (heard.stdout, admitted) == ((b"", [False]) if os.geteuid() == 0 else (b"in", [True]))


def test_the_system_says_who_is_at_the_other_end() -> None:
    one, other = socket.socketpair()
    with one, other:
        assert peer_uid(one) == os.geteuid()


def test_what_macos_says_of_a_peer_is_read_or_refused() -> None:
    assert uid_of_xucred(struct.pack("=IIh", 0, 501, 1) + bytes(66)) == 501
    for strange in (b"", bytes(7), struct.pack("=II", 1, 501)):
        with pytest.raises(UntrustedError):
            uid_of_xucred(strange)


async def test_a_stranger_at_the_port_learns_nothing_and_is_not_believed(folder: Path) -> None:
    async with opened(LoopbackEndpoint(str(folder))) as admitted:
        port, key = read(folder / "serve.port").split()
        reader, writer = await asyncio.open_connection("127.0.0.1", int(port))
        writer.write(b"0" * 64)
        heard = await reader.readexactly(128)
        assert key.encode() not in heard
        writer.write(b"1" * 64)
        assert await reader.read() == b""
        writer.close()
        # And a program that took the port of a server that is gone.
        write(folder / "serve.port", f"{port} {'0' * 64}\n")
        with pytest.raises(UntrustedError):
            await asyncio.to_thread(LoopbackEndpoint(str(folder)).connect)
    assert admitted[0] is False


def test_a_long_name_gets_a_short_door_that_both_sides_find(tmp_path: Path) -> None:
    folder = str(tmp_path / ("x" * 120))
    door = UnixEndpoint(str(folder))
    with door.listen():
        assert len(door.address) < 108
        assert door.address == UnixEndpoint(str(folder)).address != UnixEndpoint(f"{folder}y").address
        UnixEndpoint(str(folder)).connect().close()
    door.close()


@pytest.mark.parametrize(
    "env",
    [
        {"ONESEAT_HOME": "/a/home"},
        {"ONESEAT_HOME": "~/seat", "HOME": "/home/me"},
        {"HOME": "/home/me"},
        {"HOME": "/home/me", "XDG_STATE_HOME": "/elsewhere"},
        {"HOME": "/home/me", "XDG_STATE_HOME": ""},
        {"HOME": "/home/me", "XDG_STATE_HOME": " "},
    ],
)
def test_the_quick_look_finds_the_folder_of_the_full_search(
    env: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("ONESEAT_HOME", "HOME", "XDG_STATE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    assert serve_folder(env) == str(Paths.find(env.get("ONESEAT_HOME")).serve_dir)


@pytest.mark.parametrize(
    "env",
    [
        {},
        {"ONESEAT_HOME": "relative"},
        {"ONESEAT_HOME": "/nul\0"},
        {"XDG_STATE_HOME": "relative", "HOME": "/h"},
    ],
)
def test_where_a_look_is_not_enough_the_full_search_decides(env: dict[str, str]) -> None:
    assert serve_folder(env) is None
