"""Observers look on; whatever they do, the run goes on as if they were not there."""

from __future__ import annotations

import logging
import threading
from pathlib import Path

import pytest

from oneseat.contract.events import Event
from oneseat.contract.receipt import RunResult
from oneseat.contract.request import Request
from oneseat.telemetry import dispatcher
from oneseat.testing import write_fake_cli

from .looking_on import Notebook, environment, run_with


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    return environment(tmp_path, write_fake_cli(tmp_path / "claude").path)


async def test_an_observer_is_told_every_durable_event_and_the_end(env: dict[str, str]) -> None:
    notebook = Notebook()
    result = await run_with(env, [notebook])
    assert notebook.began == [result.run_id]
    assert notebook.events == ["wallet_verified", "started", "usage", "message"]
    assert notebook.results == [result]


class _Failing(Notebook):
    def __init__(self, where: str) -> None:
        super().__init__()
        self._where = where

    def watch(self, run_id: str, request: Request, provider: str, at_ns: int) -> Notebook:
        if self._where == "watch":
            raise ValueError("the first call")
        return super().watch(run_id, request, provider, at_ns)

    def saw(self, event: Event, at_ns: int) -> None:
        super().saw(event, at_ns)
        if self._where == "saw":
            raise ValueError("an event")

    def ended(self, result: RunResult, at_ns: int) -> None:
        raise ValueError("the end")


@pytest.mark.parametrize(("where", "heard"), [("watch", 0), ("saw", 1), ("ended", 4)])
async def test_an_observer_that_raises_is_dropped_and_named_once(
    where: str, heard: int, env: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    failing, notebook = _Failing(where), Notebook()
    result = await run_with(env, [failing, notebook])
    assert result.status == "completed"
    assert len(failing.events) == heard
    assert notebook.results == [result]
    (dropped,) = [
        record for record in caplog.records if record.__dict__["oneseat"]["event"] == "observer_dropped"
    ]
    assert dropped.__dict__["oneseat"]["observer"] == "_Failing"
    assert dropped.__dict__["oneseat"]["error"] == "ValueError"


async def test_an_observer_that_hangs_delays_nothing_but_the_end_and_that_by_a_moment(
    env: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatcher, "_WAIT_S", 0.05)
    let_go = threading.Event()

    class Hanging(Notebook):
        def saw(self, event: Event, at_ns: int) -> None:
            super().saw(event, at_ns)
            let_go.wait()

    hanging = Hanging()
    try:
        result = await run_with(env, [hanging])
        assert (result.status, hanging.results) == ("completed", [])
        assert len(hanging.events) <= 1  # on a busy machine its thread may not have begun
    finally:
        let_go.set()


async def test_what_waits_for_a_hung_observer_is_bounded(
    env: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatcher, "_BACKLOG", 1)
    may_go_on = threading.Event()

    class Late(Notebook):
        def watch(self, run_id: str, request: Request, provider: str, at_ns: int) -> Notebook:
            may_go_on.wait()
            return super().watch(run_id, request, provider, at_ns)

    late = Late()
    monkeypatch.setattr(dispatcher, "_WAIT_S", 0.05)
    await run_with(env, [late])
    (thread,) = [each for each in threading.enumerate() if each.name == "oneseat-observers"]
    may_go_on.set()
    thread.join()
    assert late.events == ["wallet_verified"]
    assert len(late.results) == 1


async def test_where_nobody_looks_on_there_is_no_thread(
    env: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    logger = logging.getLogger("oneseat")
    monkeypatch.setattr(logger, "propagate", False)  # pytest listens at the root
    started: list[str] = []
    monkeypatch.setattr(threading.Thread, "start", lambda thread: started.append(thread.name))
    told = dispatcher.Dispatcher([], None).began("r", None, "p")  # type: ignore[arg-type]
    told.saw(None)  # type: ignore[arg-type]
    await told.ended(None)  # type: ignore[arg-type]
    assert started == []
