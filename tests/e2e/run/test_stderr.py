"""What the CLI prints on stderr is kept, bounded and clean, however its run ended."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oneseat.host.processes.child import Tail
from oneseat.host.processes.exit_report import stderr_event
from oneseat.rules.redaction import redact
from oneseat.testing import Behaviour
from oneseat.testing.fake_cli import Complain, Exit, Result, Say, Step, Wait
from tests.e2e.driving import Seat, fake_seat

WARNING = "warning: the cache is stale\n"
#: Made up, and in two pieces, so that no file holds anything that looks like one.
PLANTED = "sk-ant-" + "oat01-made-up-for-this-test"


def stored(seat: Seat) -> list[dict[str, Any]]:
    """The stderr events of the only run."""
    (run,) = seat.runs()
    events = [line["event"] for line in seat.run("show", run["id"], "--events").lines]
    return [event for event in events if event["type"] == "stderr"]


@pytest.mark.parametrize(
    ("turn", "code"), [((Say(), Result()), 0), ((Say("half an"), Exit(3)), 7)], ids=["answered", "crashed"]
)
def test_it_is_an_event_of_the_run(turn: tuple[Step, ...], code: int, tmp_path: Path) -> None:
    seat, _ = fake_seat(tmp_path, Behaviour(on_user=(Complain(WARNING), *turn)))
    ended = seat.run("run", "go", "--stream-json")
    assert ended.code == code
    # One for each process of the CLI.
    attempts = ended.lines[-1]["receipt"]["attempts"]
    expected = [{"type": "stderr", "text": WARNING.strip(), "cut": False}] * attempts
    assert attempts >= 1
    assert [line for line in ended.lines if line["type"] == "stderr"] == expected
    assert stored(seat) == expected


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_is_kept_when_the_run_was_cancelled(number: int, tmp_path: Path) -> None:
    turn = (Complain(WARNING), Say("half an"), Wait("forever"))
    seat, _ = fake_seat(tmp_path, Behaviour(on_user=turn))
    with seat.start("run", "go", "--stream-json") as live:
        live.read_until("half an")
        live.signal(number)
        assert live.finish().code == 130
    assert [event["text"] for event in stored(seat)] == [WARNING.strip()]


def test_silence_is_no_event(tmp_path: Path) -> None:
    seat, _ = fake_seat(tmp_path, "ok")
    assert "stderr" not in {line["type"] for line in seat.run("run", "go", "--stream-json").lines}
    assert stored(seat) == []


def test_it_holds_no_credential_and_its_end_is_what_is_kept(tmp_path: Path) -> None:
    noise = "".join(f"line {number}\n" for number in range(20_000))
    words = f"{PLANTED}\n{noise}token {PLANTED} refused"
    seat, _ = fake_seat(tmp_path, Behaviour(on_user=(Complain(words), Say(), Result())))
    assert seat.run("run", "go").code == 0
    (event,) = stored(seat)
    assert event["text"].endswith("line 19999\ntoken [redacted:anthropic-key] refused")
    assert (event["cut"], len(event["text"])) == (True, 8000)
    assert PLANTED.encode() not in seat.ledger.read_bytes()


def test_the_last_words_in_an_error_hold_no_half_of_a_credential(tmp_path: Path) -> None:
    # 2,000 characters are shown: the cut would be in the middle of what was planted.
    words = PLANTED + " " + "x" * 1990
    seat, _ = fake_seat(tmp_path, Behaviour(on_user=(Complain(words), Exit(3))))
    ended = seat.run("run", "go", "--json")
    assert ended.result["error"]["code"] == "provider.crashed"
    assert "this-test" not in ended.stdout + ended.stderr


@given(before=st.text(max_size=50), cut=st.integers(0, 40), after=st.text(max_size=50))
def test_a_credential_that_lost_its_beginning_is_not_kept(before: str, cut: int, after: str) -> None:
    tail = f"{before}{PLANTED}"[cut:] + f"\n{after}"
    event = stderr_event(Tail(tail, cut=True), redact)
    assert event is None or (event.cut and "made-up-for-this-test" not in event.text)
