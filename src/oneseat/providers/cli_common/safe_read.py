"""Reads untrusted files: never blocks, reads only regular files, at most 64 MiB."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TypeVar

import msgspec

from oneseat._util import tolerant

#: Larger than any valid settings or state file of the CLI.
MAX_BYTES = 64 * 1024 * 1024
_MARK = b"\xef\xbb\xbf"

Decoded = TypeVar("Decoded")


class UnreadableError(Exception):
    """Raised when a file exists but cannot be read or decoded. The message says why and quotes nothing from the file."""


def read_file(path: Path) -> tuple[bytes, int] | None:
    """The bytes of a regular file and its permission bits; ``None`` when there is none. Raises ``UnreadableError``."""
    try:
        # A plain open of a named pipe (password managers provide `.env` as one) would block until there is a writer.
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as error:
        raise UnreadableError(getattr(error, "strerror", None) or "its name is not valid") from error
    try:
        return _read_regular(descriptor)
    except OSError as error:
        raise UnreadableError(error.strerror or "it cannot be read") from error
    finally:
        os.close(descriptor)


def _read_regular(descriptor: int) -> tuple[bytes, int]:
    mode = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(mode):
        raise UnreadableError("it is not a regular file")
    with os.fdopen(descriptor, "rb", closefd=False) as file:
        data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise UnreadableError("it is larger than 64 MiB")
    return data, stat.S_IMODE(mode)


def decode(data: bytes, kind: type[Decoded]) -> Decoded:
    """Decode JSON as tolerantly as the CLI does: with a byte order mark or lone surrogates. Raises ``UnreadableError``."""
    data = data.removeprefix(_MARK)
    try:
        return msgspec.json.decode(data, type=kind)
    except tolerant.UNREADABLE:
        pass
    try:
        return msgspec.json.decode(tolerant.mended(data), type=kind)
    except tolerant.UNREADABLE as error:
        # The decoder's message can quote the file, so it is left out.
        raise UnreadableError("it is not JSON of the expected shape") from error
