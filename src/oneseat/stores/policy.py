"""Policy packs and what the owner has said about them: the file of this package, and two private files of the owner's."""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from functools import cache
from pathlib import Path
from typing import TypeVar

import msgspec

from oneseat.contract.errors import ErrorInfo, UsageError
from oneseat.contract.policy_pack import OwnerOverrides, Pack, PolicyState

_BUNDLED = Path(__file__).with_name("policy_pack.json")
#: The bundled pack has a hundred kilobytes. A much larger file is a mistake.
_MAX_BYTES = 2_000_000
_PACK = "policy-pack.json"
_WORD = "policy-word.json"

_T = TypeVar("_T")


class PolicyFiles:
    """The owner's files in ``folder``, read again when they have changed."""

    def __init__(self, folder: Path) -> None:
        self._pack = folder / _PACK
        self._word = folder / _WORD
        self._seen: object = None
        self._book: PolicyState | None = None

    def read(self) -> PolicyState:
        """The pack in force and the owner's word. Raises ``UsageError`` ``usage.bad_policy_pack`` for files that do not fit.

        The bundled pack never stands in for one that the owner has installed: it might allow more.
        """
        seen = (_stamp(self._pack), _stamp(self._word))
        if self._book is None or seen != self._seen:
            self._book, self._seen = self._read(), seen
        return self._book

    def word(self) -> OwnerOverrides:
        """What the owner has said, whatever pack is there. Raises ``UsageError`` ``usage.bad_policy_pack``."""
        said = _content(self._word)
        return OwnerOverrides() if said is None else decoded(said, self._word, OwnerOverrides)

    def keep(self, word: OwnerOverrides) -> None:
        """Write the owner's word down, readable by the owner only. Raises ``OSError``."""
        _replace(self._word, msgspec.json.format(msgspec.json.encode(word)) + b"\n")

    def install(self, data: bytes | None, word: OwnerOverrides) -> None:
        """Put a pack in force, ``None`` for the bundled one, with the word that names it. Raises ``OSError``."""
        if data is not None:
            _replace(self._pack, data)
        self.keep(word)
        if data is None:
            self._pack.unlink(missing_ok=True)

    def _read(self) -> PolicyState:
        word, data = self.word(), _content(self._pack)
        if data is None and word.installed is None:
            return PolicyState(bundled_pack(), bundled=True, word=word)
        if data is None or word.installed is None or digest(data) != word.installed.sha256:
            raise bad_pack(self._pack, "it is not the one that `oneseat policy update` has installed")
        return PolicyState(decoded(data, self._pack, Pack), bundled=False, word=word)


@cache
def bundled_pack() -> Pack:
    """The pack of this package."""
    return msgspec.json.decode(_BUNDLED.read_bytes(), type=Pack)


def bundled_data() -> bytes:
    """The file of this package, as it is."""
    return _BUNDLED.read_bytes()


def digest(data: bytes) -> str:
    """What names a pack for good."""
    return hashlib.sha256(data).hexdigest()


def read_candidate(path: Path) -> bytes:
    """The content of a file that may be a pack. Raises ``UsageError`` ``usage.bad_policy_pack``."""
    data = _content(path)
    if data is None:
        raise bad_pack(path, "there is no such file")
    return data


def decoded(data: bytes, path: Path, kind: type[_T]) -> _T:
    """What a file holds. Raises ``UsageError`` ``usage.bad_policy_pack``."""
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise bad_pack(path, str(error)) from error


def _content(path: Path) -> bytes | None:
    try:
        # A named pipe of this name would be waited for.
        if not path.is_file():
            return None
        with path.open("rb") as file:
            data = file.read(_MAX_BYTES + 1)
    except OSError as error:
        raise bad_pack(path, error.strerror or str(error)) from error
    if len(data) > _MAX_BYTES:
        raise bad_pack(path, f"it is larger than {_MAX_BYTES:,} bytes")
    return data


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def _replace(path: Path, data: bytes) -> None:
    # A reader sees the old file or the new one, never half of it; `mkstemp` makes it readable by the owner only.
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        Path(name).replace(path)
    except BaseException:  # whatever happened, an interrupt too: no half file stays behind
        with contextlib.suppress(OSError):
            Path(name).unlink()
        raise


def bad_pack(path: Path, why: str) -> UsageError:
    """A pack that cannot be used, and why."""
    return UsageError(
        ErrorInfo(
            code="usage.bad_policy_pack",
            message=f"The policy pack cannot be used: `{path}`\n  {why}",
            hint="Check a pack, or go back to the bundled one: `oneseat policy check FILE`, `oneseat policy update --bundled`",
        )
    )
