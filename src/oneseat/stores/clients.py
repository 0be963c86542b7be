"""The clients of the gateway in one private file: what was declared of each, and the SHA-256 of its key."""

from __future__ import annotations

from pathlib import Path

import msgspec

from oneseat._util.atomic import replace_file
from oneseat._util.files import read_regular
from oneseat.contract.errors import ErrorInfo, UsageError
from oneseat.contract.gateway.clients import StoredClient

_MAX_BYTES = 4_000_000


class ClientFile:
    """Reads the file anew when it has changed, so that a key that was removed is refused at once."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "clients.json"
        self._stamp: tuple[int, int, int] | None = None
        self._clients: dict[str, StoredClient] = {}

    def read(self) -> dict[str, StoredClient]:
        """Every client by the digest of its key. Raises ``UsageError`` ``usage.clients_file``."""
        try:
            found = self._path.stat()
        except OSError:
            self._stamp, self._clients = None, {}
            return self._clients
        stamp = (found.st_mtime_ns, found.st_size, found.st_ino)
        if stamp != self._stamp:
            self._clients = {each.digest: each for each in self._load()}
            self._stamp = stamp
        return self._clients

    def write(self, clients: tuple[StoredClient, ...]) -> None:
        """Replace the file. Raises ``OSError``."""
        replace_file(self._path, msgspec.json.encode(clients))

    def _load(self) -> tuple[StoredClient, ...]:
        try:
            return msgspec.json.decode(read_regular(self._path, _MAX_BYTES), type=tuple[StoredClient, ...])
        except FileNotFoundError:
            return ()
        except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise UsageError(
                ErrorInfo(
                    code="usage.clients_file",
                    message=f"The clients of the server cannot be read: `{self._path}`\n  {error}",
                    hint="Move the file away, then add each client anew: `oneseat clients add NAME`",
                )
            ) from None
