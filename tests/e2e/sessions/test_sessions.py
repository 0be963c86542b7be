"""Projects: runs that share a conversation, go on one at a time, and heal when the conversation cannot go on."""

from __future__ import annotations

import contextlib
import copy
import json
import signal
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

import oneseat
from oneseat.settings import Settings
from oneseat.testing import Behaviour, Simulator
from oneseat.testing.fake_cli import Result, Say, Transcribe
from tests.e2e.driving import Done, Seat, fake_seat
from tests.e2e.projects import PIRATE, ask, events_of, renewal, said, transcripts, with_project


def seeing(seat: Seat, **env: str) -> Seat:
    """The same seat with more in its environment."""
    other = copy.copy(seat)
    other.env = {**seat.env, **env}
    return other


@pytest.fixture
def seat(tmp_path: Path, claude_path: Path, simulator: Simulator) -> Iterator[Seat]:
    seat = with_project(Seat(tmp_path, claude_path, simulator))
    yield seat
    seat.assert_nothing_left()


@pytest.fixture
def either_seat(tmp_path: Path, claude: Path, simulator: Simulator) -> Seat:
    """A seat with the newest, and one with the oldest CLI."""
    return with_project(Seat(tmp_path, claude, simulator))


@pytest.fixture
def quick_seat(tmp_path: Path) -> Iterator[Seat]:
    """A seat whose CLI keeps a transcript and answers at once: for what is known of sessions without reading them."""
    seat, _ = fake_seat(tmp_path, Behaviour(on_user=(Transcribe(times=1, pause_s=0), Say(), Result())))
    yield with_project(seat)
    seat.assert_nothing_left()


def test_a_second_run_goes_on_where_the_first_ended(either_seat: Seat, simulator: Simulator) -> None:
    first = ask(either_seat, "first prompt")
    second = ask(either_seat, "second prompt")
    assert first["session"] == {"id": first["session"]["id"], "resumed": False, "message": 1}
    assert second["session"] == {"id": first["session"]["id"], "resumed": True, "message": 2}
    assert renewal(either_seat, second) is None
    (began, continued) = simulator.messages()
    assert said(began) == [("user", "first prompt")]
    assert said(continued) == [
        ("user", "first prompt"),
        ("assistant", "ok from the simulator"),
        ("user", "second prompt"),
    ]
    assert json.dumps(continued.body).count(PIRATE) == 1
    (started,) = events_of(either_seat, second, "started")
    assert started["cwd"] == str(either_seat.root / "shop")
    # Both runs used the same tokens: what the conversation cost before is not charged to the second again.
    assert first["receipt"]["equivalent_cost_usd"] > 0
    assert second["receipt"]["equivalent_cost_usd"] == first["receipt"]["equivalent_cost_usd"]
    assert not (either_seat.home.parent / ".claude").exists()
    either_seat.assert_nothing_left()


def test_a_lost_session_heals_within_the_run_and_says_so(either_seat: Seat, simulator: Simulator) -> None:
    first = ask(either_seat, "first prompt")
    (transcript,) = transcripts(either_seat)
    transcript.unlink()
    second = ask(either_seat, "second prompt")
    assert second["session"]["id"] != first["session"]["id"]
    assert (second["session"]["resumed"], second["session"]["message"]) == (False, 1)
    assert renewal(either_seat, second) == "lost"
    ((role, told), last) = said(simulator.messages()[1])
    assert (role, last) == ("user", ("user", "second prompt"))
    # A short brief of what was lost, marked as a quotation.
    assert told.startswith("<earlier_conversation>")
    assert told.endswith("</earlier_conversation>")
    assert '{"user": "first prompt", "assistant": "ok from the simulator"}' in told.splitlines()
    assert {"what": "session_renewed", "value": "lost", "when": "before"} in second["receipt"]["evidence"]
    assert PIRATE in json.dumps(simulator.messages()[1].body["system"])
    assert ask(either_seat, "third prompt")["session"] == {
        "id": second["session"]["id"],
        "resumed": True,
        "message": 2,
    }
    either_seat.assert_nothing_left()


def test_a_run_without_a_project_has_no_session_and_keeps_no_transcript(seat: Seat) -> None:
    ended = seat.run("run", "say ok", "--json")
    assert ended.result["session"] is None
    assert transcripts(seat) == []
    assert seat.run("sessions", "list", "--json").result == {"sessions": [], "not_read": {}}


def test_a_session_over_its_limit_is_not_continued(quick_seat: Seat) -> None:
    with_project(quick_seat, "session.max_bytes = 1")
    first, second = ask(quick_seat, "first prompt"), ask(quick_seat, "second prompt")
    assert renewal(quick_seat, second) == "bytes"
    assert (second["session"]["resumed"], second["session"]["message"]) == (False, 1)
    assert second["session"]["id"] != first["session"]["id"]


def test_a_session_has_only_so_many_messages(seat: Seat, simulator: Simulator) -> None:
    assert Settings().session_max_messages == 8
    with_project(seat, "session.max_messages = 3")
    runs = [ask(seat, f"prompt {number}") for number in range(1, 5)]
    assert [run["session"]["message"] for run in runs] == [1, 2, 3, 1]
    assert [run["session"]["resumed"] for run in runs] == [False, True, True, False]
    assert [renewal(seat, run) for run in runs[-2:]] == [None, "messages"]
    assert len(said(simulator.messages()[2])) == 5
    assert said(simulator.messages()[3]) == [("user", "prompt 4")]


def test_an_old_session_is_not_continued_and_a_person_is_told(quick_seat: Seat) -> None:
    ask(quick_seat, "first prompt")
    with contextlib.closing(sqlite3.connect(quick_seat.ledger)) as db, db:
        db.execute("UPDATE sessions SET created_at = '2020-01-01T00:00:00.000Z'")
    ended = quick_seat.run("run", "--project", "shop", "second prompt")
    assert (ended.code, ended.stdout) == (0, "ok from the fake\n")
    assert "note: new session" in ended.stderr
    assert renewal(quick_seat, {"run_id": quick_seat.runs()[0]["id"]}) == "age"


def test_a_session_belongs_to_its_directory(seat: Seat, simulator: Simulator) -> None:
    here = ask(seat, "here")
    with_project(seat, directory=str(seat.root / "elsewhere"))
    there = ask(seat, "elsewhere")
    assert (there["session"]["resumed"], renewal(seat, there)) == (False, None)
    assert said(simulator.messages()[1]) == [("user", "elsewhere")]
    with_project(seat)
    again = ask(seat, "here again")
    assert again["session"] == {"id": here["session"]["id"], "resumed": True, "message": 2}


def test_other_instructions_begin_another_session(seat: Seat, simulator: Simulator) -> None:
    ask(seat, "first prompt")
    with_project(seat, system="Answer like a poet.")
    second = ask(seat, "second prompt")
    assert renewal(seat, second) == "instructions"
    body = json.dumps(simulator.messages()[1].body)
    assert "poet" in body
    assert "pirate" not in body


def test_a_new_session_can_be_asked_for(seat: Seat, simulator: Simulator) -> None:
    first = ask(seat, "first prompt")
    second = ask(seat, "second prompt", "--new-session")
    assert second["session"]["id"] != first["session"]["id"]
    assert said(simulator.messages()[1]) == [("user", "second prompt")]
    assert ask(seat, "third prompt")["session"]["id"] == second["session"]["id"]


def test_tools_and_model_are_the_projects_unless_the_run_names_its_own(
    seat: Seat, simulator: Simulator
) -> None:
    with_project(seat, tools="read", model="haiku")
    runs = [
        ask(seat, "first prompt", "--tools", "none", "--model", "sonnet"),
        ask(seat, "second prompt"),
        ask(seat, "third prompt", "--tools", "none"),
    ]
    assert [run["session"]["message"] for run in runs] == [1, 2, 3]
    asked = simulator.messages()
    offered = [{tool["name"] for tool in request.body.get("tools") or ()} for request in asked]
    assert offered == [set(), {"Glob", "Grep", "Read"}, set()]
    assert [str(request.model).split("-")[1] for request in asked] == ["sonnet", "haiku", "haiku"]


def busy(ended: Done) -> dict[str, Any]:
    error: dict[str, Any] = ended.result["error"]
    assert (ended.code, error["code"]) == (2, "usage.project_busy")
    return error


def test_a_second_run_of_a_project_is_told_who_holds_it_or_waits(seat: Seat, simulator: Simulator) -> None:
    hanging = simulator.url("hang", "holder")
    with seeing(seat, ONESEAT_SIMULATOR_URL=hanging).start(
        "run", "--project", "shop", "first prompt"
    ) as holder:
        simulator.wait_for_messages(1, "holder")
        (run_id,) = [run["id"] for run in seat.runs()]
        for options in ((), ("--wait=0.2",)):
            error = busy(seat.run("run", "--project", "shop", "--json", *options, "second prompt"))
            assert f"run `{run_id}` of process {holder.pid} has locked it" in error["message"]
        # A run without the project goes on beside it.
        assert seat.run("run", "third prompt").code == 0
        with seat.start("run", "--project", "shop", "--json", "--wait", "fourth prompt") as waiting:
            assert waiting.process.poll() is None
            holder.signal()
            assert holder.finish().code == 130
            ended = waiting.finish()
    assert (ended.code, ended.result["session"]["message"]) == (0, 2), ended
    assert ("user", "fourth prompt") in said(simulator.messages()[-1])


def test_a_killed_holder_frees_the_project(seat: Seat, simulator: Simulator) -> None:
    hanging = simulator.url("hang", "holder")
    with seeing(seat, ONESEAT_SIMULATOR_URL=hanging).start(
        "run", "--project", "shop", "first prompt"
    ) as holder:
        simulator.wait_for_messages(1, "holder")
        with seat.start("run", "--project", "shop", "--json", "--wait", "second prompt") as waiting:
            assert waiting.process.poll() is None
            holder.signal(signal.SIGKILL)
            holder.process.wait()
            ended = waiting.finish()
    assert (ended.code, ended.result["status"]) == (0, "completed"), ended
    # The next start writes down how the killed run ended, and clears what it left.
    assert ask(seat, "third prompt")["session"]["resumed"] is True
    assert sorted(run["status"] for run in seat.runs()) == ["cancelled", "completed", "completed"]


def test_runs_inside_of_runs_are_counted_and_a_loop_is_refused(seat: Seat, simulator: Simulator) -> None:
    ended = seeing(seat, ONESEAT_DEPTH="3").run("run", "say ok", "--json")
    assert (ended.code, ended.result["error"]["code"]) == (2, "usage.nesting_error")
    assert ended.result["receipt"]["verdict"] == "nothing_sent"
    assert simulator.requests() == []
    assert seeing(seat, ONESEAT_DEPTH="2").run("run", "say ok").code == 0
    with_project(seat, "run.max_depth = 4")
    deep = seeing(seat, ONESEAT_DEPTH="3", ONESEAT_SIMULATOR_URL=simulator.url("hang", "deep"))
    with deep.start("run", "say ok") as live:
        simulator.wait_for_messages(1, "deep")
        depths = {
            child.environ()["ONESEAT_DEPTH"] for child in psutil.Process(live.pid).children(recursive=True)
        }
        live.signal()
        live.finish()
    assert depths == {"4"}


def test_sessions_are_listed_shown_and_ended(quick_seat: Seat) -> None:
    first, second = ask(quick_seat, "first prompt"), ask(quick_seat, "second prompt")
    session = first["session"]["id"]
    (listed,) = quick_seat.run("sessions", "list", "--json").result["sessions"]
    assert (listed["id"], listed["project"], listed["messages"]) == (session, "shop", 2)
    assert session in quick_seat.run("sessions").stdout
    for name in ("shop", session, session[:8]):
        shown = quick_seat.run("sessions", "show", name, "--json").result
        assert shown["session"] == listed
        assert [run["id"] for run in shown["runs"]] == [first["run_id"], second["run_id"]]
    assert second["run_id"] in quick_seat.run("sessions", "show", "shop").stdout
    assert session in quick_seat.run("sessions", "end", "shop").stdout
    assert quick_seat.run("sessions", "list", "--json").result == {"sessions": [], "not_read": {}}
    assert "ended (ended)" in quick_seat.run("sessions", "list", "--all").stdout
    assert quick_seat.run("sessions", "end", "shop", "--json").result == {"sessions": [], "not_read": {}}
    third = ask(quick_seat, "third prompt")
    assert (third["session"]["resumed"], renewal(quick_seat, third)) == (False, None)


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("run", "--project", "shoop", "hi"), "usage.unknown_project"),
        (("run", "--wait", "hi"), "usage.arguments"),
        (("run", "--new-session", "hi"), "usage.arguments"),
        (("run", "--project", "shop", "--wait=-1", "hi"), "usage.arguments"),
        (("sessions", "show", "shoop"), "usage.no_such_session"),
    ],
)
def test_what_is_not_there_is_said_to_be_so(arguments: tuple[str, ...], code: str, seat: Seat) -> None:
    ended = seat.run(*arguments)
    assert (ended.code, f"code {code}" in ended.stderr) == (2, True), ended


def test_the_library_runs_in_a_project(
    seat: Seat, simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HOME", "ONESEAT_HOME", "ONESEAT_CLAUDE_PATH", "ONESEAT_SIMULATOR_URL"):
        monkeypatch.setenv(name, seat.env[name])
    monkeypatch.setenv("ONESEAT_SIMULATOR_LOGIN", "file")
    results = [oneseat.run(prompt, project="shop") for prompt in ("first prompt", "second prompt")]
    assert [result.session and result.session.message for result in results] == [1, 2]
    assert said(simulator.messages()[1])[0] == ("user", "first prompt")
