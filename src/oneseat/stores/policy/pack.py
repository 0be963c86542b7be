"""Policy packs: the bundled file, and two private files with the owner's pack and overrides."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path
from typing import TypeVar

import msgspec

from oneseat._util.atomic import replace_file
from oneseat._util.files import read_regular
from oneseat.contract.errors import ErrorInfo, UsageError
from oneseat.contract.ownership import refuse_strangers
from oneseat.contract.policy_pack import OwnerOverrides, Pack, PolicyState

_BUNDLED = Path(__file__).with_name("policy_pack.json")
#: The bundled pack has 100 kB. A much larger file is a mistake.
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
        """The pack in force and the owner's overrides. Raises ``UsageError`` ``usage.bad_policy_pack`` for an unusable file.

        The bundled pack never replaces an unusable installed one: it might allow more.
        """
        seen = (_stamp(self._pack), _stamp(self._word))
        if self._book is None or seen != self._seen:
            self._book, self._seen = self._read(), seen
        return self._book

    def word(self) -> OwnerOverrides:
        """The owner's overrides, whatever pack is installed. Raises ``UsageError`` ``usage.bad_policy_pack``."""
        refuse_strangers(self._word)
        said = _content(self._word)
        return OwnerOverrides() if said is None else decoded(said, self._word, OwnerOverrides)

    def keep(self, word: OwnerOverrides) -> None:
        """Store the owner's overrides, readable by the owner only. Raises ``OSError``."""
        replace_file(self._word, msgspec.json.format(msgspec.json.encode(word)) + b"\n")

    def install(self, data: bytes | None, word: OwnerOverrides) -> None:
        """Install a pack, or the bundled one for ``None``, with the overrides that name it. Raises ``OSError``."""
        if data is not None:
            replace_file(self._pack, data)
        self.keep(word)
        if data is None:
            self._pack.unlink(missing_ok=True)

    def _read(self) -> PolicyState:
        refuse_strangers(self._pack)
        word, data = self.word(), _content(self._pack)
        if data is None and word.installed is None:
            return PolicyState(bundled_pack(), bundled=True, word=word)
        if data is None or word.installed is None or digest(data) != word.installed.sha256:
            raise bad_pack(self._pack, "it is not the pack that `oneseat policy update` installed")
        return PolicyState(decoded(data, self._pack, Pack), bundled=False, word=word)


@cache
def bundled_pack() -> Pack:
    """The bundled pack."""
    return msgspec.json.decode(_BUNDLED.read_bytes(), type=Pack)


def bundled_data() -> bytes:
    """The bundled pack as bytes."""
    return _BUNDLED.read_bytes()


def digest(data: bytes) -> str:
    """The SHA-256 that identifies a pack."""
    return hashlib.sha256(data).hexdigest()


def read_candidate(path: Path) -> bytes:
    """The content of a file that should be a pack. Raises ``UsageError`` ``usage.bad_policy_pack``."""
    data = _content(path)
    if data is None:
        raise bad_pack(path, "there is no such file")
    return data


def decoded(data: bytes, path: Path, kind: type[_T]) -> _T:
    """A file's content as ``kind``. Raises ``UsageError`` ``usage.bad_policy_pack``."""
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise bad_pack(path, str(error)) from error


def _content(path: Path) -> bytes | None:
    try:
        data = read_regular(path, _MAX_BYTES + 1)
    except FileNotFoundError as error:
        if path.is_symlink():
            # Not "no pack": the rules that a link led to are gone.
            raise bad_pack(path, "it is a link to a file that is not there") from error
        return None
    except NotADirectoryError:
        return None
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


def bad_pack(path: Path, why: str) -> UsageError:
    """The error of an unusable pack."""
    return UsageError(
        ErrorInfo(
            code="usage.bad_policy_pack",
            message=f"The policy pack cannot be used: `{path}`\n  {why}",
            hint="Check a pack, or go back to the bundled one: `oneseat policy check FILE`, `oneseat policy update --bundled`",
        )
    )
