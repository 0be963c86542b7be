"""What is printed fits a terminal of any width, in any script, with colours only where they are wanted."""

from __future__ import annotations

import io

import pytest
from wcwidth import width

from oneseat.cli.screen import plain, rendered, styled
from oneseat.cli.views.table import clip, lines_of, table, width_of
from oneseat.cli.views.text import wrapped

FAMILY = "👩\u200d👩\u200d👧"
ID = "0f8fad5b-d9cb-469f-a165-70867728950e"
ROWS = [
    ("project", "messages", "last used", "state", "id", "directory"),
    (
        "shop",
        "3",
        "2026-11-20 14:00:00",
        "live",
        ID,
        f"/home/me/名前の長いフォルダ/{FAMILY * 9}/and-more-of-it",
    ),
    ("cafe\u0301", "12", "2026-11-20 15:00:00", styled("ended (age)", "bad"), ID, "/srv"),
]


@pytest.fixture(params=[40, 80, 200])
def columns(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setenv("COLUMNS", str(request.param))
    found: int = request.param
    return found


def test_a_table_fits_and_loses_nothing(columns: int) -> None:
    lines = [plain(line) for line in table(ROWS, head=True)]
    assert max(map(width, lines)) <= columns
    shown = "".join("".join(lines).split())
    for row in ROWS[1:]:
        for cell in row:
            assert all(word in shown for word in plain(cell).split())
    assert "…" not in shown
    assert "\ufffd" not in shown


def test_numbers_stay_in_their_columns(columns: int) -> None:
    rows = [("model", "tokens", "list price"), None, ("名前" * 12, "1", "$2.00"), ("b", "1,000", "$0.10")]
    lines = [plain(line) for line in table(rows, right=(1, 2), head=True)]
    assert max(map(width, lines)) <= columns
    ends = {width(line) for line in lines if line.endswith(("$2.00", "$0.10", "price"))}
    assert len(ends) == 1


@pytest.mark.parametrize("end", [False, True])
@pytest.mark.parametrize("text", ["名前の長いフォルダ", FAMILY * 5, "e\u0301" * 30, "👍🏽" * 9, "x" * 50])
def test_no_character_is_cut_in_two(text: str, end: bool) -> None:
    for room in range(2, 12):
        clipped = clip(text, room, end=end)
        assert width(clipped) <= room
        rest = clipped.replace("…", "")
        assert (text.endswith if end else text.startswith)(rest)
        # What is left begins and ends with a whole character.
        assert width(rest) + width(text.replace(rest, "", 1)) == width(text)


def test_a_control_character_of_a_name_stays_harmless() -> None:
    (line,) = table([("\x1b[2J\x07name", "b")])
    assert "\x1b" not in line
    assert clip("a\x1bb") == "a\ufffdb"


def test_prose_is_as_wide_as_the_terminal(columns: int) -> None:
    lines = wrapped("one two three " * 30, "    ", "  - ")
    assert max(map(len, lines)) <= min(columns, 100)
    assert len(lines) > 1


def test_a_style_takes_no_room_and_survives_wrapping() -> None:
    text = styled("one two three", "bad")
    assert width_of(text) == len("one two three")
    assert [plain(line) for line in lines_of(text, 7)] == ["one two", "three"]
    assert all(line != plain(line) for line in lines_of(text, 7))


class Screen(io.StringIO):
    def __init__(self, *, terminal: bool) -> None:
        super().__init__()
        self._terminal = terminal

    def isatty(self) -> bool:
        return self._terminal


@pytest.mark.parametrize(
    ("env", "terminal", "coloured"),
    [
        ({}, True, True),
        ({}, False, False),
        ({"NO_COLOR": "1"}, True, False),
        ({"NO_COLOR": ""}, True, True),
        ({"FORCE_COLOR": "1"}, False, True),
        ({"FORCE_COLOR": "0"}, False, False),
        ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, True, False),
        ({"TERM": "dumb"}, True, False),
    ],
)
def test_colours_are_where_they_are_wanted(
    env: dict[str, str], terminal: bool, coloured: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    shown = rendered(styled("refused", "bad"), Screen(terminal=terminal))
    assert shown == ("\x1b[31mrefused\x1b[0m" if coloured else "refused")
