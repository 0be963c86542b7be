"""The private socket between commands and the server, reachable by its owner only.

On systems with unix sockets: one with mode 0600 in a folder with mode 0700, and the system tells which user is at the other
end. Elsewhere: a loopback port; its number and a key are in a file of that folder, both sides prove that they know the key, and
the key itself is never sent. Standard library only: a command that looks for a server loads this first.
"""

from __future__ import annotations

import contextlib
import os
import socket
import stat
import struct
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from asyncio import StreamReader, StreamWriter

_SOCKET = "serve.sock"
_PORT_FILE = "serve.port"
#: The longest address of a unix socket, in bytes.
_MAX_ADDRESS = 103 if sys.platform == "darwin" else 107
#: Not from TMPDIR, which may differ between the two sides.
_SHORT_ROOT = "/tmp"  # noqa: S108 - the folder in it is created with mode 0700 and refused when another user owns it
_CONNECT_S = 2.0
_PROOF_BYTES = 32
_XUCRED = struct.Struct("=II")
#: Values of <sys/un.h> and <sys/ucred.h> on macOS, which the socket module does not name.
_SOL_LOCAL, _LOCAL_PEERCRED, _XUCRED_BYTES = 0, 1, 76


class UntrustedError(OSError):
    """Raised when the socket, its folder or the process behind it may not belong to the owner."""


class LoopbackEndpoint:
    """A loopback port and a key, for systems without unix sockets. Works on every system, so it is tested everywhere."""

    def __init__(self, folder: str) -> None:
        self.address = _join(folder, _PORT_FILE)
        self._folder = folder
        self._key = b""

    def listen(self) -> socket.socket:
        """Start listening; replaces what an earlier server left. Raises ``OSError``."""
        _make_private(self._folder)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.address)
        self._key = os.urandom(_PROOF_BYTES)
        listener = socket.create_server(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        descriptor = os.open(self.address, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(f"{port} {self._key.hex()}\n")
        return listener

    def connect(self) -> socket.socket:
        """Connect to the server. Raises ``OSError`` when none listens, ``UntrustedError`` when it is not the owner's."""
        check_private(self._folder)
        check_owned(self.address, stat.S_ISREG)
        with open(self.address, encoding="ascii") as file:
            number, _, key = file.read(200).strip().partition(" ")
        if not number.isdigit() or int(number) > 65535:
            raise UntrustedError(f"not a port: `{self.address}`")
        connection = socket.create_connection(("127.0.0.1", int(number)), _CONNECT_S)
        try:
            _prove_both(connection, key.encode())
        except (ValueError, OSError) as error:
            connection.close()
            raise UntrustedError(f"the program on that port did not accept the key: {number}") from error
        return connection

    async def admits(self, reader: StreamReader, writer: StreamWriter) -> bool:
        """Whether the client knows the key. Proves first that this side does."""
        key = self._key.hex().encode()
        challenge = await reader.readexactly(2 * _PROOF_BYTES)
        own = os.urandom(_PROOF_BYTES).hex().encode()
        writer.write(_proof(key, b"server" + challenge) + own)
        return _same(await reader.readexactly(2 * _PROOF_BYTES), _proof(key, b"client" + own))

    def close(self) -> None:
        """Remove the port file."""
        with contextlib.suppress(OSError):
            os.unlink(self.address)


if sys.platform == "win32":
    LocalEndpoint = LoopbackEndpoint
else:

    class UnixEndpoint:
        """A unix socket in a private folder."""

        def __init__(self, folder: str) -> None:
            self.address = _join(folder, _SOCKET)
            self._folders = [folder]
            if len(os.fsencode(self.address)) > _MAX_ADDRESS:
                short = f"{_SHORT_ROOT}/oneseat-{os.geteuid()}"
                self.address = _join(short, _short_name(folder))
                self._folders.append(short)

        def listen(self) -> socket.socket:
            """Start listening; replaces what an earlier server left. Call it with the server lock held. Raises ``OSError``."""
            for folder in self._folders:
                _make_private(folder)
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self.address)
            listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            try:
                listener.bind(self.address)
                os.chmod(self.address, 0o600)
                listener.listen(128)
            except BaseException:  # also Ctrl-C: a client would take a half-open socket for a server
                listener.close()
                raise
            return listener

        def connect(self) -> socket.socket:
            """Connect to the server. Raises ``OSError`` when none listens, ``UntrustedError`` when it is not the owner's."""
            for folder in self._folders:
                check_private(folder)
            check_owned(self.address, stat.S_ISSOCK)
            connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            try:
                connection.settimeout(_CONNECT_S)
                connection.connect(self.address)
                if peer_uid(connection) != os.geteuid():
                    raise UntrustedError(f"another user listens there: `{self.address}`")
            except BaseException:  # also Ctrl-C: the server would wait for this client's request
                connection.close()
                raise
            return connection

        async def admits(self, _reader: StreamReader, writer: StreamWriter) -> bool:
            """Whether the client runs as the same user."""
            connection: socket.socket = writer.get_extra_info("socket")
            return peer_uid(connection) == os.geteuid()

        def close(self) -> None:
            """Remove the port file."""
            with contextlib.suppress(OSError):
                os.unlink(self.address)

    LocalEndpoint = UnixEndpoint


def peer_uid(connection: socket.socket) -> int:
    """The user id of the process at the other end of a unix socket, from the system."""
    if sys.platform == "linux":
        data = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
        uid: int = struct.unpack("iII", data)[1]
        return uid
    return uid_of_xucred(connection.getsockopt(_SOL_LOCAL, _LOCAL_PEERCRED, _XUCRED_BYTES))


def uid_of_xucred(data: bytes) -> int:
    """The user id in the xucred structure of macOS. Raises ``UntrustedError`` for an unknown format."""
    if len(data) < _XUCRED.size:
        raise UntrustedError("the system did not say who is at the other end")
    version, uid = _XUCRED.unpack_from(data)
    if version != 0:
        raise UntrustedError("the system did not say who is at the other end")
    return int(uid)


def check_private(folder: str) -> None:
    """Raise ``UntrustedError`` unless ``folder`` is a real folder of this user that no other user may open."""
    found = check_owned(folder, stat.S_ISDIR)
    if sys.platform != "win32" and found.st_mode & 0o077:
        raise UntrustedError(f"other users may open it: `{folder}`")


def check_owned(path: str, is_kind: object) -> os.stat_result:
    """The status of a file of this user and of that kind; links are not followed. Raises ``UntrustedError``, ``OSError``."""
    found = os.lstat(path)
    if not callable(is_kind) or not is_kind(found.st_mode):
        raise UntrustedError(f"it is of the wrong type: `{path}`")
    if sys.platform != "win32" and found.st_uid != os.geteuid():
        raise UntrustedError(f"it belongs to another user: `{path}`")
    return found


def _make_private(folder: str) -> None:
    with contextlib.suppress(FileExistsError):
        os.makedirs(folder, 0o700)
    check_private(folder)


def _join(folder: str, name: str) -> str:
    return os.path.join(folder, name)


def _short_name(folder: str) -> str:
    import hashlib  # noqa: PLC0415 - 3 ms, needed only for a very long path

    return hashlib.sha256(os.fsencode(folder)).hexdigest()[:32] + ".sock"


def _prove_both(connection: socket.socket, key: bytes) -> None:
    challenge = os.urandom(_PROOF_BYTES).hex().encode()
    connection.sendall(challenge)
    answer = _read_exactly(connection, 4 * _PROOF_BYTES)
    proof, theirs = answer[: 2 * _PROOF_BYTES], answer[2 * _PROOF_BYTES :]
    if not _same(proof, _proof(key, b"server" + challenge)):
        raise ValueError("wrong proof")
    connection.sendall(_proof(key, b"client" + theirs))


def _read_exactly(connection: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        piece = connection.recv(size - len(data))
        if not piece:
            raise ConnectionResetError("the connection was closed")
        data += piece
    return data


def _proof(key: bytes, text: bytes) -> bytes:
    import hmac  # noqa: PLC0415 - needed only on systems without unix sockets

    return hmac.new(key, text, "sha256").hexdigest().encode()


def _same(one: bytes, other: bytes) -> bool:
    import hmac  # noqa: PLC0415 - as above

    return hmac.compare_digest(one, other)
