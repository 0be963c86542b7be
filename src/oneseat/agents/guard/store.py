"""What the guard keeps, in a private folder: which contents are clean, what was found, what the model thought, what was accepted.

No secret is in it: findings are known by a keyed hash, and the key is in a file of its own.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from .report import Acceptance, Finding, Verdict, usage_error

#: In one transaction: each would wait for the disk by itself.
_SCHEMA = """
BEGIN;
CREATE TABLE IF NOT EXISTS clean (key BLOB PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS findings (fingerprint TEXT PRIMARY KEY, repository TEXT NOT NULL, body BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS opinions (fingerprint TEXT PRIMARY KEY, verdict TEXT NOT NULL, why TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS accepted (
    fingerprint TEXT PRIMARY KEY, reason TEXT NOT NULL, author TEXT NOT NULL, until TEXT NOT NULL, at TEXT NOT NULL
);
COMMIT;
"""
_BUSY_S = 10.0
_MOST_CLEAN = 500_000
_KEY_BYTES = 32
_DIGITS = 20


class Opinion(NamedTuple):
    """What the model thought of a finding."""

    verdict: Verdict
    why: str


class Store:
    """The guard's database and key, below ``folder``, which is created. Close it.

    Raises ``UsageError`` ``usage.guard_store`` for anything that cannot be read or written: an acceptance that cannot be read
    must not become a finding that passes.
    """

    def __init__(self, folder: Path) -> None:
        self._file = folder / "store.db"
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._key = _key(folder / "store.key")
            os.close(os.open(self._file, os.O_RDWR | os.O_CREAT, 0o600))
            self._connection = self._opened()
        except (OSError, sqlite3.Error) as error:
            raise self._failed(error) from error

    def _opened(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._file, timeout=_BUSY_S, isolation_level=None)
        try:
            connection.executescript(_SCHEMA)
        except sqlite3.Error:
            connection.close()
            raise
        return connection

    def close(self) -> None:
        """Close the database."""
        self._connection.close()

    def fingerprint(self, repository: str, rule: str, path: str, secret: str) -> str:
        """The name of a finding: the same wherever in the file it stands, and of no use to whoever wants to guess the secret."""
        text = "\0".join((repository, rule, path, secret)).encode("utf-8", "surrogateescape")
        return hmac.new(self._key, text, hashlib.sha256).hexdigest()[:_DIGITS]

    def clean(self, keys: Iterable[bytes]) -> set[bytes]:
        """Those of ``keys`` that are noted as clean."""
        wanted = list(dict.fromkeys(keys))
        found: set[bytes] = set()
        for at in range(0, len(wanted), 500):
            part = wanted[at : at + 500]
            marks = ",".join("?" * len(part))
            found.update(row[0] for row in self._query(f"SELECT key FROM clean WHERE key IN ({marks})", part))  # noqa: S608 - question marks
        return found

    def note_clean(self, keys: Iterable[bytes]) -> None:
        """Note contents as clean, and forget all earlier ones once they are too many."""
        if self._query("SELECT count(*) FROM clean")[0][0] > _MOST_CLEAN:
            self._query("DELETE FROM clean")
        self._write("INSERT OR IGNORE INTO clean VALUES (?)", [(key,) for key in keys])

    def note_findings(self, repository: str, findings: Iterable[Finding]) -> None:
        """Keep findings for `explain` and `accept`."""
        rows = [(finding.fingerprint, repository, _encoder.encode(finding)) for finding in findings]
        self._write("INSERT OR REPLACE INTO findings VALUES (?, ?, ?)", rows)

    def findings(self, beginning: str) -> list[Finding]:
        """The findings whose fingerprint begins with ``beginning``, with what is known of them now."""
        rows = self._query(
            "SELECT body FROM findings WHERE substr(fingerprint, 1, ?) = ?", (len(beginning), beginning)
        )
        return [msgspec.json.decode(row[0], type=Finding) for row in rows]

    def repository_of(self, fingerprint: str) -> str | None:
        """The name of the repository that a finding is of."""
        rows = self._query("SELECT repository FROM findings WHERE fingerprint = ?", (fingerprint,))
        return str(rows[0][0]) if rows else None

    def opinions(self) -> Mapping[str, Opinion]:
        """What the model thought, by fingerprint."""
        rows = self._query("SELECT fingerprint, verdict, why FROM opinions")
        return {fingerprint: Opinion(verdict, why) for fingerprint, verdict, why in rows}

    def note_opinions(self, opinions: Mapping[str, Opinion]) -> None:
        """Keep what the model thought."""
        rows = [(fingerprint, *opinion) for fingerprint, opinion in opinions.items()]
        self._write("INSERT OR REPLACE INTO opinions VALUES (?, ?, ?)", rows)

    def accepted(self) -> Mapping[str, Acceptance]:
        """What was accepted, by fingerprint, also what is no longer valid."""
        rows = self._query("SELECT fingerprint, reason, author, until, at FROM accepted")
        return {row[0]: Acceptance(reason=row[1], author=row[2], until=row[3], at=row[4]) for row in rows}

    def accept(self, fingerprint: str, word: Acceptance) -> None:
        """Accept a finding, in place of what was accepted before."""
        row = (fingerprint, word.reason, word.author, word.until, word.at)
        self._write("INSERT OR REPLACE INTO accepted VALUES (?, ?, ?, ?, ?)", [row])

    def _query(self, sql: str, values: Iterable[object] = ()) -> list[tuple[Any, ...]]:
        try:
            return self._connection.execute(sql, tuple(values)).fetchall()
        except sqlite3.Error as error:
            raise self._failed(error) from error

    def _write(self, sql: str, rows: Sequence[tuple[object, ...]]) -> None:
        if not rows:
            return
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            self._connection.executemany(sql, rows)
            self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            raise self._failed(error) from error

    def _failed(self, error: Exception) -> Exception:
        return usage_error(
            "usage.guard_store",
            f"The guard's own files cannot be used: `{self._file.parent}`\n  {error}",
            f"If the database is damaged, start a new one (what was accepted is lost): `rm {self._file}`",
        )


_encoder = msgspec.json.Encoder()


def _key(file: Path) -> bytes:
    """The key of the hashes, made when it is first needed. Raises ``OSError``."""
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        key = file.read_bytes()
        if len(key) != _KEY_BYTES:
            raise OSError(f"{file.name} is not the key that was made") from None
        return key
    key = secrets.token_bytes(_KEY_BYTES)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(key)
    return key
