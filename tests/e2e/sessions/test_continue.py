"""Going on with a conversation that belongs to no project: by name, by id, or with the last one of the directory."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

import oneseat
from oneseat.cli.commands import run as run_command
from oneseat.contract.request import Request
from oneseat.testing import Simulator
from tests.e2e.driving import Seat, fake_seat, live_in
from tests.e2e.projects import events_of, renewal, said, with_project


@pytest.fixture
def seat(tmp_path: Path, claude_path: Path, simulator: Simulator, monkeypatch: pytest.MonkeyPatch) -> Seat:
    """A seat of this very process, and of commands."""
    seat = Seat(tmp_path, claude_path, simulator)
    live_in(seat, monkeypatch)
    return seat


@pytest.fixture
def quick_seat(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Seat]:
    seat, _ = fake_seat(tmp_path, "ok")
    live_in(seat, monkeypatch)
    yield seat
    seat.assert_nothing_left()


def stamp(result: oneseat.RunResult) -> tuple[str, int]:
    assert result.session is not None
    return result.session.id, result.session.message


def test_a_named_conversation_goes_on_in_python_and_in_a_shell(seat: Seat, simulator: Simulator) -> None:
    first = oneseat.run("My name is Ada", session="ada")
    second = oneseat.run("Where do I live?", session="ada")
    assert (stamp(first)[1], stamp(second)) == (1, (stamp(first)[0], 2))
    third = seat.run("run", "-c", "--json", "What is my name?")
    assert (third.code, third.result["session"]) == (
        0,
        {"id": stamp(first)[0], "resumed": True, "message": 3},
    )
    assert [text for who, text in said(simulator.messages()[-1]) if who == "user"] == [
        "My name is Ada",
        "Where do I live?",
        "What is my name?",
    ]
    seat.assert_nothing_left()


def test_a_run_without_a_conversation_is_quoted_and_a_person_is_told(
    seat: Seat, simulator: Simulator
) -> None:
    assert seat.run("run", "My name is Ada").code == 0
    second = seat.run("run", "--continue", "What is my name?")
    assert (second.code, second.stdout) == (0, "ok from the simulator\n")
    assert "note: new session, with a summary of the conversation" in second.stderr
    ((_, quoted), last) = said(simulator.messages()[-1])
    assert '{"user": "My name is Ada", "assistant": "ok from the simulator"}' in quoted.splitlines()
    assert last == ("user", "What is my name?")
    # From here on the official CLI has the conversation itself.
    third = seat.run("run", "-c", "--json", "And now?")
    assert (third.result["session"]["resumed"], third.result["session"]["message"]) == (True, 2)
    assert renewal(seat, third.result) is None


def test_without_anything_to_continue_nothing_is_sent(quick_seat: Seat) -> None:
    ended = quick_seat.run("run", "-c", "hello", "--json")
    assert (ended.code, ended.result["error"]["code"]) == (2, "usage.no_such_session")
    with pytest.raises(oneseat.UsageError) as refused:
        oneseat.run("hello", resume=True)
    assert refused.value.info.code == "usage.no_such_session"
    assert quick_seat.runs() == []


def test_what_was_not_kept_cannot_be_continued(quick_seat: Seat) -> None:
    with_project(quick_seat, "ledger.keep_text = false")
    assert quick_seat.run("run", "hello").code == 0
    ended = quick_seat.run("run", "-c", "hello", "--json")
    assert (ended.code, ended.result["error"]["code"]) == (2, "usage.no_such_session")


def test_the_last_conversation_of_a_projects_directory_is_the_projects(quick_seat: Seat) -> None:
    with_project(quick_seat, directory=str(quick_seat.cwd))
    first = quick_seat.run("run", "--project", "shop", "hello", "--json")
    second = quick_seat.run("run", "-c", "hello", "--json")
    assert second.result["session"] == {**first.result["session"], "resumed": True, "message": 2}
    assert stamp(oneseat.run("hello", resume=True))[1] == 3
    # A run in between is the last one, and no session of its own.
    assert quick_seat.run("run", "hello").code == 0
    after = quick_seat.run("run", "-c", "hello", "--json")
    assert (after.result["session"]["message"], renewal(quick_seat, after.result)) == (1, "not_kept")


def test_a_conversation_belongs_to_its_directory_and_its_name(quick_seat: Seat) -> None:
    elsewhere = quick_seat.root / "elsewhere"
    elsewhere.mkdir()
    ada, bob = oneseat.run("hello", session="ada"), oneseat.run("hello", session="bob")
    there = oneseat.run("hello", session="ada", cwd=elsewhere)
    assert len({stamp(each)[0] for each in (ada, bob, there)}) == 3
    assert stamp(oneseat.run("hello", session="ada")) == (stamp(ada)[0], 2)
    fresh = oneseat.run("hello", session="ada", new_session=True)
    assert (stamp(fresh)[1], stamp(fresh)[0] == stamp(ada)[0]) == (1, False)


def test_a_session_or_a_run_is_continued_by_its_id(quick_seat: Seat) -> None:
    ada, bob = oneseat.run("hello", session="ada"), oneseat.run("hello", session="bob")
    assert stamp(oneseat.run("hello", resume=stamp(ada)[0])) == (stamp(ada)[0], 2)
    assert stamp(oneseat.run("hello", resume=ada.run_id[:10])) == (stamp(ada)[0], 3)
    assert stamp(oneseat.run("hello", resume=bob.run_id)) == (stamp(bob)[0], 2)
    with pytest.raises(oneseat.UsageError) as refused:
        oneseat.run("hello", resume=stamp(ada)[0], cwd=quick_seat.root)
    assert refused.value.info.code == "usage.bad_directory"
    with pytest.raises(oneseat.UsageError) as unknown:
        oneseat.run("hello", resume="nothing")
    assert unknown.value.info.code == "usage.no_such_run"


def test_a_conversation_over_its_limit_is_quoted_and_not_forgotten(quick_seat: Seat) -> None:
    with_project(quick_seat, "session.max_messages = 1")
    first = oneseat.run("hello", session="ada")
    second = oneseat.run("hello", session="ada")
    (event,) = events_of(quick_seat, {"run_id": second.run_id}, "session_renewed")
    assert (event["reason"], event["previous"], event["carried"]) == ("messages", stamp(first)[0], 1)


async def test_one_run_at_a_time_goes_on_with_a_conversation(quick_seat: Seat) -> None:
    async with oneseat.connect() as app, app.stream("hello", session="ada") as stream:
        async for _ in stream:
            busy = await app.run("hello", session="ada")
            beside = await app.run("hello", session="bob")
            break
    assert busy.error is not None
    assert (busy.error.code, beside.status) == ("usage.project_busy", "completed")
    assert busy.error.hint is not None
    assert "wait_s=" in busy.error.hint


@pytest.mark.parametrize("place", [("--project", "shop"), ("-c",)])
def test_a_request_that_waits_without_end_can_be_sent_to_a_server(
    place: tuple[str, ...], quick_seat: Seat, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_project(quick_seat)
    oneseat.run("hello", session="ada")
    sent: list[Request] = []

    def on_server(request: Request, output: object) -> int:
        sent.append(msgspec.json.decode(msgspec.json.encode(request), type=Request))
        return 0

    monkeypatch.setattr(run_command, "_on_server", on_server)
    assert run_command.command.main([*place, "--wait", "hello"], standalone_mode=False) == 0
    use = sent[0].project or sent[0].session
    assert use is not None
    assert use.wait_s > 86_400


@pytest.mark.parametrize(
    "arguments",
    [("-c", "--project", "shop"), ("-c", "--new-session"), ("--wait",), ("--new-session",)],
)
def test_options_that_contradict_each_other_are_refused(arguments: tuple[str, ...], quick_seat: Seat) -> None:
    with_project(quick_seat)
    ended = quick_seat.run("run", "--json", *arguments, "hello")
    assert (ended.code, ended.result["error"]["code"]) == (2, "usage.arguments")
