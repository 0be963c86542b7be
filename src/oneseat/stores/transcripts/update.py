"""Updates the index from the transcripts: reads what is new, and keeps counting what is gone."""

from __future__ import annotations

import gc
import io
import os
import stat
import time
import zlib

from .doubles import doubles
from .folders import Origin
from .lenient_reader import MARK, LenientReader
from .schema import SIGHTING
from .walk import Walk

TYPE_CHECKING = False
if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Iterator
    from typing import Any

    from .doubles import Row

#: A longer line is skipped, and counted if it may hold an answer. An answer has at most some 100 kB of text.
LONGEST_LINE = 4 << 20
#: Bytes from which the fast reader saves more time than it takes to load.
_WORTH_FAST = 1 << 20
_FLUSH_AT, _MANY = 16_000, 1000
#: How many bytes of a file's beginning, and before the last line read, are hashed to recognise a file that has only grown.
_HASHED = 256
#: A file changed less than this before it was read may change again within the same timestamp, in nanoseconds.
_RECENT_NS = 100_000_000
_NAMES = ", ".join(SIGHTING[4:])
_UPSERT = f"""
INSERT INTO answers ({", ".join(SIGHTING)}) VALUES ({", ".join("?" for _ in SIGHTING)})
ON CONFLICT (id, session, slot, part) DO UPDATE SET ({_NAMES}) = ({", ".join(f"excluded.{name}" for name in SIGHTING[4:])})
WHERE ({", ".join(f"excluded.{name}" for name in SIGHTING[4:])}) > ({", ".join(f"answers.{name}" for name in SIGHTING[4:])})
"""  # noqa: S608 - names of columns
_BY_KEY = "id = ? AND session = ? AND slot = ? AND part = ?"


class _Known:
    """A file as it was read the last time: a row of ``files``. (A named tuple would load ``typing``, for 5 ms.)"""

    __slots__ = ("directory", "hash", "inode", "offset", "problems", "size")

    def __init__(self, row: tuple[bytes, int, int, int, int, int, str, str]) -> None:
        _, self.inode, self.size, _, self.offset, self.hash, self.problems, self.directory = row


class _LongLine:
    """A line that is too long for the buffer: how much of it was skipped, and whether it may hold an answer."""

    def __init__(self) -> None:
        self.skipped = 0
        self.has_answer = False

    def skip(self, buffer: bytearray, filled: int) -> int:
        """Skip the buffer's content. Returns how much of its end must stay, because the mark may begin there."""
        self.has_answer = self.has_answer or buffer.find(MARK, 0, filled) >= 0
        kept = len(MARK) - 1
        buffer[:kept] = buffer[filled - kept : filled]
        self.skipped += filled - kept
        return kept

    def end_in(self, buffer: bytearray, filled: int) -> int:
        """Where the line ends in the buffer; 0 when no line is being skipped, -1 when it goes on."""
        if not self.skipped:
            return 0
        end = buffer.find(b"\n", 0, filled) + 1
        if not end:
            return -1
        self.has_answer = self.has_answer or buffer.find(MARK, 0, end) >= 0
        return end


class Update:
    """One update of the index in ``db``, inside a transaction.

    ``files`` are the fingerprints of the files as they were read. ``touched`` are the rows that may have changed, by key, as they
    were in the index before, or ``None`` for new ones; it is itself ``None`` when they are too many to update one by one.
    """

    def __init__(self, db: sqlite3.Connection, walk: Walk) -> None:
        self._db = db
        self._walk = walk
        self._buffer = bytearray(0)
        self._reader = LenientReader()
        self._directories: set[tuple[str, str]] = set()
        self.touched: dict[tuple[Any, ...], Row | None] | None = {}
        self.unreadable = 0
        self.files = dict(walk.files)
        self._read_files: list[tuple[bytes, int, int, int, int, int, str, str]] = []

    def run(self) -> None:
        """Read what is new."""
        changed = list(self._changed())
        there = self._db.execute("SELECT count(*) FROM files").fetchone()[0]
        gone: set[bytes] = set()
        if there > len(self._walk.files) - sum(known is None for _, known in changed):
            gone = {path for (path,) in self._db.execute("SELECT path FROM files")} - self._walk.files.keys()
        if not changed and not gone:
            return
        new = sum(self._walk.files[path][1] - (known.offset if known else 0) for path, known in changed)
        if new >= _WORTH_FAST:
            from .fast_reader import FastReader  # noqa: PLC0415 - msgspec takes 25 ms to import, half the time of a small update

            self._reader = FastReader()
        collecting = gc.isenabled()
        gc.disable()  # 100,000 answers have no cycles, and searching for some takes a tenth of the time
        try:
            for path, known in changed:
                self._file(path, known)
            self._flush()
            self._mark_doubles()
        finally:
            if collecting:
                gc.enable()
        self._db.executemany("DELETE FROM files WHERE path = ?", [(path,) for path in gone])

    def _changed(self) -> Iterator[tuple[bytes, _Known | None]]:
        """The files to read, each with its row of the last time."""
        paths = self._walk.changed
        every = len(paths) > _MANY
        rows = {row[0]: row for row in self._db.execute("SELECT * FROM files")} if every else {}
        for path in paths:
            row = rows.get(path)
            if not every:
                row = self._db.execute("SELECT * FROM files WHERE path = ?", (path,)).fetchone()
            # Another process may have read it since the walk.
            if row is None or row[1:4] != self._walk.files[path]:
                yield path, None if row is None else _Known(row)

    def _file(self, path: bytes, known: _Known | None) -> None:
        try:
            with io.FileIO(os.open(path, _FLAGS)) as file:
                found = os.fstat(file.fileno())
                if stat.S_ISREG(found.st_mode):
                    self._read(path, file, found, known)
        except FileNotFoundError:
            del self.files[path]  # deleted meanwhile; the next update removes it
        except OSError:
            del self.files[path]  # without a fingerprint, it is tried again next time
            self.unreadable += 1

    def _read(self, path: bytes, file: io.FileIO, found: os.stat_result, known: _Known | None) -> None:
        # It may have grown since the walk. In a buffer that is too small, a line would count as too long.
        room = min(found.st_size, LONGEST_LINE) + 1
        if len(self._buffer) < room:
            self._buffer = bytearray(room)
        start, problems, origin = 0, {}, _origin(self._walk.below(path))
        if known is not None and _has_grown(file, found, known):
            start, problems = known.offset, _counts(known.problems)
            problems.pop("unfinished", None)
            origin.directory = known.directory
        if known is not None:
            file.seek(start)  # `_has_grown` moved the position
        self._reader.problems = problems
        offset, hash_ = self._stream(file, start, found.st_size, origin)
        # Without a modification time, the next update reads it again.
        recent = abs(time.time_ns() - found.st_mtime_ns) < _RECENT_NS
        fingerprint = self.files[path] = (found.st_ino, found.st_size, -1 if recent else found.st_mtime_ns)
        self._read_files.append(
            (
                path,
                *fingerprint,
                offset,
                hash_,
                " ".join(f"{name}={count}" for name, count in self._reader.problems.items()),
                origin.directory,
            ),
        )
        self._directories |= origin.directories()
        if len(self._reader.found) > _FLUSH_AT:
            self._flush()

    def _stream(self, file: io.FileIO, start: int, size: int, origin: Origin) -> tuple[int, int]:
        """Read the lines from ``start`` to ``size``. Returns where the last whole line ends, and the hash up to there."""
        buffer, view = self._buffer, memoryview(self._buffer)
        offset, filled, long_line, first = start, 0, _LongLine(), None
        left = size - start
        while left > 0 and (got := file.readinto(view[filled : filled + left])):
            filled, left = filled + got, left - got
            begin = long_line.end_in(buffer, filled)
            end = buffer.rfind(b"\n", begin, filled) + 1 if begin >= 0 else 0
            if begin < 0 or (not end and not begin and filled == len(buffer)):
                filled = long_line.skip(buffer, filled)
                continue
            if long_line.has_answer:
                self._reader.problem("too_long")
            offset, end = offset + long_line.skipped, max(end, begin)
            long_line = _LongLine()
            if end > begin:
                self._reader.read(buffer, begin, end, origin)
            if first is None and start == 0:
                first = (bytes(buffer[:_HASHED]), bytes(buffer[max(0, end - _HASHED) : end]), end)
            offset += end
            buffer[: filled - end] = buffer[end:filled]
            filled -= end
        view.release()
        if filled and not long_line.skipped and not self._reader.read_unfinished(buffer, filled, origin):
            self._reader.problem("unfinished")
        if first is not None and first[2] == offset:  # read in one piece: no need to read it again
            return offset, _hash(first[0][:offset], first[1])
        return offset, _hash_of(file, offset)

    def _flush(self) -> None:
        found = self._reader.found
        self._db.executemany("INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?, ?, ?, ?, ?)", self._read_files)
        self._read_files.clear()
        self._db.executemany("INSERT OR IGNORE INTO projects VALUES (?, ?)", self._directories)
        self._directories.clear()
        if not found:
            return
        # In the table's order, so that its pages are filled one after the other.
        rows = sorted(found.values())
        if len(rows) > _MANY:
            self.touched = None
        if self.touched is not None:
            find = self._db.execute
            for key in found.keys() - self.touched.keys():
                self.touched[key] = find(f"SELECT * FROM answers WHERE {_BY_KEY}", key).fetchone()  # noqa: S608 - names of columns
        self._db.executemany(_UPSERT, rows)
        self._db.executemany(
            "INSERT OR IGNORE INTO models VALUES (?)", [(model,) for model in {row[-1] for row in rows}]
        )
        found.clear()

    def _mark_doubles(self) -> None:
        """Mark the rows that another row counts for, among the ids that were found."""
        if self.touched is None:
            # Nearly every id has one row; those of further requests are not told apart here.
            several = "SELECT id FROM answers GROUP BY id HAVING count(*) > 1"
            names: Iterable[str] = [name for (name,) in self._db.execute(several)]
        else:
            names = {key[0] for key in self.touched}
        for name in names:
            rows = self._db.execute("SELECT * FROM answers WHERE id = ?", (name,)).fetchall()
            others = doubles(rows) if len(rows) > 1 else set()
            for row in rows:
                if row[-1] != (row in others):
                    key = row[:4]
                    if self.touched is not None:
                        self.touched.setdefault(key, row)
                    self._db.execute(f"UPDATE answers SET double = ? WHERE {_BY_KEY}", (row in others, *key))  # noqa: S608 - as above


_FLAGS = (
    os.O_RDONLY
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_NONBLOCK", 0)  # opening a pipe in a file's place would block
    | getattr(os, "O_BINARY", 0)
)


def _has_grown(file: io.FileIO, found: os.stat_result, known: _Known) -> bool:
    """Whether what was read of a file is still its beginning. If not, it is read again, which only adds new answers."""
    return (
        found.st_ino == known.inode
        and found.st_size > known.size
        and _hash_of(file, known.offset) == known.hash
    )


def _hash_of(file: io.FileIO, offset: int) -> int:
    file.seek(0)
    head = file.read(min(_HASHED, offset)) or b""
    file.seek(max(0, offset - _HASHED))
    return _hash(head, file.read(min(_HASHED, offset)) or b"")


def _hash(head: bytes, tail: bytes) -> int:
    return zlib.crc32(head) << 31 ^ zlib.crc32(tail)


def _counts(problems: str) -> dict[str, int]:
    return {name: int(count) for name, _, count in (each.partition("=") for each in problems.split())}


def _origin(below: bytes) -> Origin:
    """``PROJECT/SESSION.jsonl``, or a subagent's file in a folder that is named like its session."""
    folder, _, rest = _storable(os.fsdecode(below)).partition(os.sep)
    return Origin(folder if rest else "", (rest or folder).partition(os.sep)[0].removesuffix(".jsonl"))


def _storable(text: str) -> str:
    return text.encode("utf-8", "replace").decode()
