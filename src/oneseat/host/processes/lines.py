"""Splits a byte stream into lines, with a limit so that one endless line cannot fill the memory."""

from __future__ import annotations

import msgspec

#: The longest line kept whole. The largest seen from claude 2.1.197 was over 2 MB (a big tool result).
MAX_LINE_BYTES = 64 * 1024 * 1024
#: How much of a longer line is kept.
KEPT_OF_OVERSIZED = 64 * 1024


class OversizedLine(msgspec.Struct, frozen=True):
    """The start of a line over the limit, and its full size in bytes."""

    start: bytes
    size: int


def lines_of(block: bytes) -> list[bytes]:
    """The lines of a block, without newlines and blank lines."""
    return [line for line in block.split(b"\n") if line and line != b"\r"]


class LineSplitter:
    """Splits chunks into blocks of whole lines, without the newline of the last line. Buffers an incomplete line."""

    def __init__(self, max_line: int = MAX_LINE_BYTES) -> None:
        self._max_line = max_line
        self._parts: list[bytes] = []
        self._size = 0

    def feed(self, chunk: bytes) -> list[bytes | OversizedLine]:
        """Return the blocks of lines that ``chunk`` completes."""
        end = chunk.rfind(b"\n")
        if end < 0:
            self._keep(chunk)
            return []
        begin, blocks = 0, list[bytes | OversizedLine]()
        if self._size:
            begin = chunk.index(b"\n") + 1
            self._keep(chunk[: begin - 1])
            blocks += self.flush()
        if begin < end:
            blocks.append(chunk[begin:end])
        if end + 1 < len(chunk):
            self._keep(chunk[end + 1 :])
        return blocks

    def flush(self) -> list[bytes | OversizedLine]:
        """Return the incomplete line, if any: at the end of the stream, a last line without a newline."""
        size, parts = self._size, self._parts
        self._size, self._parts = 0, []
        if size > self._max_line:
            return [OversizedLine(b"".join(parts)[:KEPT_OF_OVERSIZED], size)]
        line = b"".join(parts)
        return [line] if line.strip() else []

    def _keep(self, part: bytes) -> None:
        self._size += len(part)
        if self._size <= self._max_line or not self._parts:
            self._parts.append(part)
        elif len(self._parts) > 1 or len(self._parts[0]) > KEPT_OF_OVERSIZED:
            # Over the limit: keep only the start, or the rest of the line would fill the memory.
            self._parts = [b"".join(self._parts)[:KEPT_OF_OVERSIZED]]
