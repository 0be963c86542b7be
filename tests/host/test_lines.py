"""The line splitter against every way a stream can be cut into pieces."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from oneseat.host.processes.lines import KEPT_OF_OVERSIZED, LineSplitter, OversizedLine, lines_of

_BODY = st.binary(max_size=40).map(lambda b: b.replace(b"\n", b"").strip()).filter(bool)


@given(st.lists(_BODY, max_size=12), st.data())
def test_however_the_stream_is_cut_the_lines_are_the_same(lines: list[bytes], data: st.DataObject) -> None:
    stream = b"".join(line + b"\n" for line in lines)
    splitter, found, start = LineSplitter(), [], 0
    while start < len(stream):
        size = data.draw(st.integers(1, len(stream) - start))
        found += splitter.feed(stream[start : start + size])
        start += size
    found += splitter.flush()
    assert [line for block in found if isinstance(block, bytes) for line in lines_of(block)] == lines


def test_lines_that_came_whole_stay_together() -> None:
    splitter = LineSplitter()
    assert splitter.feed(b"one\ntwo\nthr") == [b"one\ntwo"]
    assert splitter.feed(b"ee\nfour\nfive\n") == [b"three", b"four\nfive"]
    assert splitter.flush() == []


def test_the_last_line_needs_no_newline() -> None:
    splitter = LineSplitter()
    assert splitter.feed(b"one\ntwo") == [b"one"]
    assert splitter.flush() == [b"two"]
    assert splitter.flush() == []


def test_blank_lines_and_windows_line_ends_are_dropped() -> None:
    (block,) = LineSplitter().feed(b"\n\r\na\n\n\r\nb\r\n")
    assert isinstance(block, bytes)
    assert lines_of(block) == [b"a", b"b\r"]


def test_a_line_over_the_cap_is_named_and_does_not_stop_the_stream() -> None:
    splitter = LineSplitter(max_line=100_000)
    found: list[bytes | OversizedLine] = []
    for _ in range(1000):
        found += splitter.feed(b"x" * 1000)
    assert found == []
    found += splitter.feed(b"\nnext\n")
    assert found == [OversizedLine(b"x" * KEPT_OF_OVERSIZED, 1_000_000), b"next"]


def test_a_line_of_64_mib_is_kept_whole() -> None:
    splitter = LineSplitter()
    piece = b"y" * (1024 * 1024)
    for _ in range(64):
        assert splitter.feed(piece) == []
    (line,) = splitter.feed(b"\n")
    assert isinstance(line, bytes)
    assert len(line) == 64 * 1024 * 1024


def test_what_came_before_counts_for_no_later_line() -> None:
    splitter = LineSplitter()
    line = b"x" * (1024 * 1024 - 1)
    # Far more than the cap in all, and no line of it near the cap.
    found = [it for _ in range(130) for it in splitter.feed(line + b"\n")]
    assert found == [line] * 130
