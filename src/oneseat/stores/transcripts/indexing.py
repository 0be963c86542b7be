"""Brings the index up to date with the transcripts that are there: what is new is read, what is gone stays counted."""

from __future__ import annotations

import gc
import io
import os
import stat
import time
import zlib

from .database import ANSWERS
from .sightings import MARK, Origin, Reader
from .walk import Walk

TYPE_CHECKING = False
if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator

    from .sightings import Sighting

#: A line that is longer is skipped, and counted where it may hold an answer. An answer is at most some 100 kB of text.
LONGEST_LINE = 4 << 20
#: From here on, loading the typed decoder takes less time than it saves, in bytes.
_WORTH_TYPING = 1 << 20
_FLUSH_AT, _MANY = 16_000, 1000
_PRINTED = 256
#: A file that was changed this short a time before it was read may change again without looking different, in nanoseconds.
_RECENT_NS = 100_000_000
_NAMES = ANSWERS[1:]
_KEPT = ", ".join(_NAMES)
_UPSERT = f"""
INSERT INTO answers (id, {_KEPT}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (id) DO UPDATE SET ({_KEPT}) = ({", ".join(f"excluded.{name}" for name in _NAMES)})
WHERE ({", ".join(f"excluded.{name}" for name in _NAMES)}) > ({", ".join(f"answers.{name}" for name in _NAMES)})
"""  # noqa: S608 - names of columns


class _Known:
    """What the index knows of a file from the last time: a row of ``files``. (A named tuple would load ``typing``, for 5 ms.)"""

    __slots__ = ("inode", "offset", "print", "problems", "size")

    def __init__(self, row: tuple[bytes, int, int, int, int, int, str]) -> None:
        _, self.inode, self.size, _, self.offset, self.print, self.problems = row


class _Gigantic:
    """A line that is too long to be kept: how much of it was skipped, and whether an answer may hide in it."""

    def __init__(self) -> None:
        self.skipped = 0
        self.hides = False

    def skip(self, buffer: bytearray, filled: int) -> int:
        """Skip what is in the buffer; returns how much of its end must stay there, as the mark may lie across."""
        self.hides = self.hides or buffer.find(MARK, 0, filled) >= 0
        kept = len(MARK) - 1
        buffer[:kept] = buffer[filled - kept : filled]
        self.skipped += filled - kept
        return kept

    def end_in(self, buffer: bytearray, filled: int) -> int:
        """Where the line ends in the buffer; 0 when there is no such line, -1 when it goes on."""
        if not self.skipped:
            return 0
        end = buffer.find(b"\n", 0, filled) + 1
        if not end:
            return -1
        self.hides = self.hides or buffer.find(MARK, 0, end) >= 0
        return end


class Transcripts:
    """One update of the index in ``db``, which is inside of a transaction.

    ``looks`` are the files as they were read, ``touched`` are the answers that were found, by id, as they were in the index
    before, or ``None`` where they are new. It is itself ``None`` when they are too many to go through.
    """

    def __init__(self, db: sqlite3.Connection, walk: Walk) -> None:
        self._db = db
        self._walk = walk
        self._buffer = bytearray(0)
        self._reader = Reader()
        self._projects = {folder for (folder,) in db.execute("SELECT folder FROM projects")}
        self.touched: dict[str, Sighting | None] | None = {}
        self.unreadable = 0
        self.looks = dict(walk.files)
        self._files: list[tuple[bytes, int, int, int, int, int, str]] = []

    def update(self) -> bool:
        """Read what is new. Returns whether anything is different from the last time."""
        changed = list(self._changed())
        there = self._db.execute("SELECT count(*) FROM files").fetchone()[0]
        gone: set[bytes] = set()
        if there > len(self._walk.files) - sum(known is None for _, known in changed):
            gone = {path for (path,) in self._db.execute("SELECT path FROM files")} - self._walk.files.keys()
        if not changed and not gone:
            return False
        if (
            sum(self._walk.files[path][1] - (known.offset if known else 0) for path, known in changed)
            >= _WORTH_TYPING
        ):
            from .typed import TypedReader  # noqa: PLC0415 - the decoder takes 25 ms to import, half the time of a small update

            self._reader = TypedReader()
        collecting = gc.isenabled()
        gc.disable()  # a hundred thousand answers hold no cycles, and looking for some takes a tenth of the time
        try:
            for path, known in changed:
                self._file(path, known)
            self._flush()
        finally:
            if collecting:
                gc.enable()
        self._db.executemany("DELETE FROM files WHERE path = ?", [(path,) for path in gone])
        return True

    def _changed(self) -> Iterator[tuple[bytes, _Known | None]]:
        """The files that have to be read, with what is known of them."""
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
            del self.looks[path]  # deleted since; the next update finds it gone
        except OSError:
            del self.looks[path]  # whatever changes about it, it is tried again
            self.unreadable += 1

    def _read(self, path: bytes, file: io.FileIO, found: os.stat_result, known: _Known | None) -> None:
        # It may have grown since the walk, and a line that finds no room would be taken for one that is too long.
        room = min(found.st_size, LONGEST_LINE) + 1
        if len(self._buffer) < room:
            self._buffer = bytearray(room)
        start, problems = 0, {}
        if known is not None and _has_grown(file, found, known):
            start, problems = known.offset, _counts(known.problems)
            problems.pop("unfinished", None)
        if known is not None:
            file.seek(start)  # looking at what is known of it moved its position
        self._reader.problems = problems
        offset, print_ = self._stream(file, start, found.st_size, _origin(self._walk.below(path)))
        # One that may change again without looking different has to be looked at again.
        recent = abs(time.time_ns() - found.st_mtime_ns) < _RECENT_NS
        looks = self.looks[path] = (found.st_ino, found.st_size, -1 if recent else found.st_mtime_ns)
        self._files.append(
            (
                path,
                *looks,
                offset,
                print_,
                " ".join(f"{name}={count}" for name, count in self._reader.problems.items()),
            ),
        )
        if len(self._reader.found) > _FLUSH_AT:
            self._flush()

    def _stream(self, file: io.FileIO, start: int, size: int, origin: Origin) -> tuple[int, int]:
        """Read the lines from ``start`` to ``size``. Returns where the last whole line ends, and the print up to there."""
        buffer, view = self._buffer, memoryview(self._buffer)
        offset, filled, gigantic, first = start, 0, _Gigantic(), None
        left = size - start
        while left > 0 and (got := file.readinto(view[filled : filled + left])):
            filled, left = filled + got, left - got
            begin = gigantic.end_in(buffer, filled)
            end = buffer.rfind(b"\n", begin, filled) + 1 if begin >= 0 else 0
            if begin < 0 or (not end and not begin and filled == len(buffer)):
                filled = gigantic.skip(buffer, filled)
                continue
            if gigantic.hides:
                self._reader.problem("too_long")
            offset, end = offset + gigantic.skipped, max(end, begin)
            gigantic = _Gigantic()
            if end > begin:
                self._reader.read(buffer, begin, end, origin)
                self._learn_directory(origin.project, end)
            if first is None and start == 0:
                first = (bytes(buffer[:_PRINTED]), bytes(buffer[max(0, end - _PRINTED) : end]), end)
            offset += end
            buffer[: filled - end] = buffer[end:filled]
            filled -= end
        view.release()
        if filled and not gigantic.skipped and not self._reader.read_unfinished(buffer, filled, origin):
            self._reader.problem("unfinished")
        if first is not None and first[2] == offset:  # all of it came at once: no need to read it again
            return offset, _print(first[0][:offset], first[1])
        return offset, _print_of(file, offset)

    def _learn_directory(self, project: str, end: int) -> None:
        """Which directory a project's folder stands for: its name alone does not tell, as it keeps letters and digits only."""
        if project in self._projects:
            return
        import json  # noqa: PLC0415 - a project is new once, and both take as long to import as a small update
        import re  # noqa: PLC0415 - as above

        said = re.compile(rb'"cwd":("(?:[^"\\]|\\.)*")').search(self._buffer, 0, end)
        try:
            directory = json.loads(said[1]) if said else ""
        except ValueError:
            return
        if re.sub(r"[^A-Za-z0-9]", "-", directory) == project:
            self._projects.add(project)
            self._db.execute("INSERT OR IGNORE INTO projects VALUES (?, ?)", (project, _storable(directory)))

    def _flush(self) -> None:
        found = self._reader.found
        self._db.executemany("INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?, ?, ?, ?)", self._files)
        self._files.clear()
        if not found:
            return
        # In the order of the table, whose pages are then filled one after the other.
        rows = sorted(found.values())
        if len(rows) > _MANY:
            self.touched = None
        if self.touched is not None:
            look = self._db.execute
            for name in found.keys() - self.touched.keys():
                self.touched[name] = look("SELECT * FROM answers WHERE id = ?", (name,)).fetchone()
        self._db.executemany(_UPSERT, rows)
        self._db.executemany(
            "INSERT OR IGNORE INTO models VALUES (?)", [(model,) for model in {row[11] for row in rows}]
        )
        found.clear()


_FLAGS = (
    os.O_RDONLY
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_NONBLOCK", 0)  # a pipe that took a file's place would be waited for
    | getattr(os, "O_BINARY", 0)
)


def _has_grown(file: io.FileIO, found: os.stat_result, known: _Known) -> bool:
    """Whether what was read of a file is still its beginning. If not, it is read anew: that can only add what is new."""
    return (
        found.st_ino == known.inode
        and found.st_size > known.size
        and _print_of(file, known.offset) == known.print
    )


def _print_of(file: io.FileIO, offset: int) -> int:
    file.seek(0)
    head = file.read(min(_PRINTED, offset)) or b""
    file.seek(max(0, offset - _PRINTED))
    return _print(head, file.read(min(_PRINTED, offset)) or b"")


def _print(head: bytes, tail: bytes) -> int:
    return zlib.crc32(head) << 31 ^ zlib.crc32(tail)


def _counts(problems: str) -> dict[str, int]:
    return {name: int(count) for name, _, count in (each.partition("=") for each in problems.split())}


def _origin(below: bytes) -> Origin:
    """``PROJECT/SESSION.jsonl``, or a subagent's file in a folder that is named like its session."""
    folder, _, rest = _storable(os.fsdecode(below)).partition(os.sep)
    return Origin(folder if rest else "", (rest or folder).partition(os.sep)[0].removesuffix(".jsonl"))


def _storable(text: str) -> str:
    return text.encode("utf-8", "replace").decode()
