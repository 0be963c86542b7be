"""A socket that only its owner can reach, found through a folder that only its owner can open.

Where there are unix sockets, it is one, with mode 0600 in a folder with mode 0700, and the system says whose process is at the
other end. Elsewhere it is a loopback port whose number and key are in a file of that folder: both sides prove that they
have read it, and the key itself never travels. Standard library only: a command that looks for a server loads this first.
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
#: What fits into the address of a unix socket, in bytes.
_LONGEST = 103 if sys.platform == "darwin" else 107
#: Found by both sides whatever TMPDIR says.
_SHORT_ROOT = "/tmp"  # noqa: S108 - the folder below it is made with mode 0700 and refused when it is anybody else's
_CONNECT_S = 2.0
_PROOF_BYTES = 32
_XUCRED = struct.Struct("=II")
#: Values of <sys/un.h> and <sys/ucred.h> on macOS, which the socket module does not name.
_SOL_LOCAL, _LOCAL_PEERCRED, _XUCRED_BYTES = 0, 1, 76


class UntrustedError(OSError):
    """Raised when the socket, its folder or the process behind it is not plainly the owner's."""


class LoopbackEndpoint:
    """A port of this machine and a key, for systems without unix sockets. Needs nothing that one system lacks."""

    def __init__(self, folder: str) -> None:
        self.place = _join(folder, _PORT_FILE)
        self._folder = folder
        self._key = b""

    def listen(self) -> socket.socket:
        """Open the door; replaces what an earlier one left. Raises ``OSError``."""
        _make_private(self._folder)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.place)
        self._key = os.urandom(_PROOF_BYTES)
        listener = socket.create_server(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        descriptor = os.open(self.place, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(f"{port} {self._key.hex()}\n")
        return listener

    def connect(self) -> socket.socket:
        """A connection to who listens. Raises ``OSError`` when nobody does, ``UntrustedError`` when it is a stranger."""
        check_private(self._folder)
        check_owned(self.place, stat.S_ISREG)
        with open(self.place, encoding="ascii") as file:
            number, _, key = file.read(200).strip().partition(" ")
        if not number.isdigit() or int(number) > 65535:
            raise UntrustedError(f"not a port: `{self.place}`")
        connection = socket.create_connection(("127.0.0.1", int(number)), _CONNECT_S)
        try:
            _prove_both(connection, key.encode())
        except (ValueError, OSError) as error:
            connection.close()
            raise UntrustedError(f"the program at that port does not know the key: {number}") from error
        return connection

    async def admits(self, reader: StreamReader, writer: StreamWriter) -> bool:
        """Whether the client at the other end has read the key. Proves to it first that we have."""
        key = self._key.hex().encode()
        challenge = await reader.readexactly(2 * _PROOF_BYTES)
        own = os.urandom(_PROOF_BYTES).hex().encode()
        writer.write(_proof(key, b"server" + challenge) + own)
        return _same(await reader.readexactly(2 * _PROOF_BYTES), _proof(key, b"client" + own))

    def close(self) -> None:
        """Take the door away."""
        with contextlib.suppress(OSError):
            os.unlink(self.place)


if sys.platform == "win32":
    LocalEndpoint = LoopbackEndpoint
else:

    class UnixEndpoint:
        """A unix socket."""

        def __init__(self, folder: str) -> None:
            self.place = _join(folder, _SOCKET)
            self._folders = [folder]
            if len(os.fsencode(self.place)) > _LONGEST:
                short = f"{_SHORT_ROOT}/oneseat-{os.geteuid()}"
                self.place = _join(short, _short_name(folder))
                self._folders.append(short)

        def listen(self) -> socket.socket:
            """Open the door; replaces what an earlier one left. The caller is the only one who may. Raises ``OSError``."""
            for folder in self._folders:
                _make_private(folder)
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self.place)
            listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            try:
                listener.bind(self.place)
                os.chmod(self.place, 0o600)
                listener.listen(128)
            except BaseException:  # also Ctrl-C: half a door would be taken for a whole one
                listener.close()
                raise
            return listener

        def connect(self) -> socket.socket:
            """A connection to who listens. Raises ``OSError`` when nobody does, ``UntrustedError`` when it is a stranger."""
            for folder in self._folders:
                check_private(folder)
            check_owned(self.place, stat.S_ISSOCK)
            connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            try:
                connection.settimeout(_CONNECT_S)
                connection.connect(self.place)
                if peer_uid(connection) != os.geteuid():
                    raise UntrustedError(f"another user listens there: `{self.place}`")
            except BaseException:  # also Ctrl-C: the server would wait for what this client says
                connection.close()
                raise
            return connection

        async def admits(self, _reader: StreamReader, writer: StreamWriter) -> bool:
            """Whether the client at the other end belongs to our own user."""
            connection: socket.socket = writer.get_extra_info("socket")
            return peer_uid(connection) == os.geteuid()

        def close(self) -> None:
            """Take the door away."""
            with contextlib.suppress(OSError):
                os.unlink(self.place)

    LocalEndpoint = UnixEndpoint


def peer_uid(connection: socket.socket) -> int:
    """The user of the process at the other end of a unix socket, as the system knows it."""
    if sys.platform == "linux":
        data = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
        uid: int = struct.unpack("iII", data)[1]
        return uid
    return uid_of_xucred(connection.getsockopt(_SOL_LOCAL, _LOCAL_PEERCRED, _XUCRED_BYTES))


def uid_of_xucred(data: bytes) -> int:
    """The user in what macOS says of a peer. Raises ``UntrustedError`` for a form nobody knows."""
    if len(data) < _XUCRED.size:
        raise UntrustedError("the system did not say who is at the other end")
    version, uid = _XUCRED.unpack_from(data)
    if version != 0:
        raise UntrustedError("the system did not say who is at the other end")
    return int(uid)


def check_private(folder: str) -> None:
    """Raise ``UntrustedError`` unless ``folder`` is a real folder of ours that nobody else may open."""
    found = check_owned(folder, stat.S_ISDIR)
    if sys.platform != "win32" and found.st_mode & 0o077:
        raise UntrustedError(f"other users may open it: `{folder}`")


def check_owned(path: str, is_kind: object) -> os.stat_result:
    """The status of a file that is ours and of that kind, a link is neither. Raises ``UntrustedError``, ``OSError``."""
    found = os.lstat(path)
    if not callable(is_kind) or not is_kind(found.st_mode):
        raise UntrustedError(f"it is not what it should be: `{path}`")
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
    import hashlib  # noqa: PLC0415 - 3 ms that only a very long path costs

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
            raise ConnectionResetError("the other end closed")
        data += piece
    return data


def _proof(key: bytes, text: bytes) -> bytes:
    import hmac  # noqa: PLC0415 - only the loopback door needs it

    return hmac.new(key, text, "sha256").hexdigest().encode()


def _same(one: bytes, other: bytes) -> bool:
    import hmac  # noqa: PLC0415 - as above

    return hmac.compare_digest(one, other)
