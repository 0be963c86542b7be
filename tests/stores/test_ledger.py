"""What goes into the ledger comes out of it, in order, and nothing that should not be in it is."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import sqlite3
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from oneseat.contract import events as contract
from oneseat.contract.errors import ErrorInfo, InternalError
from oneseat.contract.history import RunFilter
from oneseat.contract.ports import Ledger
from oneseat.contract.receipt import NO_TOKENS, Evidence, LimitReading, TokenUsage
from oneseat.host.processes.registry import ProcessRegistry
from oneseat.stores.ledger.async_ledger import AsyncLedger
from oneseat.stores.ledger.reader import LedgerReader
from oneseat.stores.ledger.serialise import _CONTENT, TRANSIENT
from oneseat.stores.ledger.writer import LedgerWriter

from .making import make_request, make_result, make_writer, refused

GATE = contract.WalletVerified(
    wallet="plan", evidence=(Evidence("account.tokenSource", "CLAUDE_CODE_OAUTH_TOKEN", "before"),)
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "runs.db"


@pytest.fixture
def writer(path: Path) -> Iterator[LedgerWriter]:
    writer = make_writer(path)
    yield writer
    writer.close()


@pytest.fixture
def reader(path: Path) -> Iterator[LedgerReader]:
    with LedgerReader(path) as reader:
        yield reader


def test_a_run_comes_back_as_it_was_given(writer: LedgerWriter, reader: LedgerReader) -> None:
    writer.begin("r1", make_request("hällo", cwd="/desk/shop"), "claude-cli")
    result = make_result("r1", text="the answer", structured={"a": [1, None, "x"]})
    writer.finish(result)
    run = reader.run("r1")
    assert run.result == result
    assert run.prompt_sha256 == hashlib.sha256("hällo".encode()).hexdigest()
    assert msgspec.to_builtins(run.summary) == {
        "id": "r1",
        "created_at": "2026-11-20T12:00:01.000Z",
        "ended_at": "2026-11-20T12:00:02.000Z",
        "status": "completed",
        "provider": "claude-cli",
        "model": "claude-sonnet-5",
        "cwd": "/desk/shop",
        "prompt_bytes": 6,
        "prompt_preview": "hällo",
        "error_code": None,
        "error_message": None,
        "wallet": "plan",
        "expected_wallet": "plan",
        "verdict": "verified",
        "cost_usd": 0.0,
        "equivalent_cost_usd": 0.25,
        "duration_ms": 1500,
    }


def test_a_run_that_goes_on_has_no_result(writer: LedgerWriter, reader: LedgerReader) -> None:
    writer.begin("r1", make_request(), "claude-cli")
    run = reader.run("r1")
    assert (run.summary.status, run.summary.model, run.result) == ("running", "sonnet", None)
    assert (run.summary.cost_usd, run.summary.wallet, run.summary.ended_at) == (None, None, None)


def test_a_failed_run_keeps_its_error_and_what_was_answered(
    writer: LedgerWriter, reader: LedgerReader
) -> None:
    error = ErrorInfo(
        code="limit.five_hour", message="full", hint="wait", whose_turn="wait", retry_after_s=60.0
    )
    writer.begin("r1", make_request(), "claude-cli")
    writer.finish(make_result("r1", error=error, text="half an ans"))
    run = reader.run("r1")
    assert run.result is not None
    assert (run.result.error, run.result.text) == (error, "half an ans")
    assert (run.summary.error_code, run.summary.error_message) == ("limit.five_hour", "full")


def test_events_come_back_in_order_and_end_with_the_result(
    writer: LedgerWriter, reader: LedgerReader
) -> None:
    call = contract.ToolCall(
        id="t1", name="Read", input={"path": "/x", "lines": [1, 2, {"deep": "y"}], "n": 10**30}
    )
    limit = LimitReading(window="five_hour", status="allowed", source="rate_limit_event", read_at="now")
    events = [
        GATE,
        contract.Started(run_id="r1", provider="claude-cli", model="m", cwd="/w", tools=("Read", "Edit")),
        contract.Message(text="first"),
        call,
        contract.ToolResult(id="t1", text="content", is_error=True),
        contract.UsageSeen(message_id="m1", usage=TokenUsage(1, 2, None, 4, 5)),
        contract.LimitSeen(limit=limit, overage=False),
        contract.Retry(attempt=1, max_attempts=2, delay_s=0.5, status=529, cause="overloaded"),
        contract.Progress(state="compacting"),
        contract.Unknown(raw='{"type":"new"}', why="type"),
        contract.TurnEnded(text="first", structured=[1], list_cost_usd=0.1),
    ]
    writer.begin("r1", make_request(), "claude-cli")
    writer.begin("r2", make_request(), "claude-cli")
    for event in events:
        writer.record("r1", event)
        writer.record("r2", contract.Progress(state="between"))
    writer.finish(make_result("r1", text="first"))
    stored = list(reader.events("r1"))
    assert [it.seq for it in stored] == list(range(1, len(events) + 2))
    # Through JSON, as a tuple comes back as a list.
    assert [it.event for it in stored[:-1]] == [
        msgspec.json.decode(msgspec.json.encode(event)) for event in events
    ]
    assert stored[-1].event == {
        "type": "finished",
        "result": msgspec.json.decode(msgspec.json.encode(make_result("r1", text="first"))),
    }
    assert [it.at for it in stored] == sorted(it.at for it in stored)
    assert len(list(reader.events("r2"))) == len(events)


def test_pieces_of_text_are_not_stored(writer: LedgerWriter, reader: LedgerReader) -> None:
    writer.begin("r1", make_request(), "claude-cli")
    writer.record("r1", contract.TextDelta(text="a piece"))
    writer.record("r1", contract.ThinkingDelta(text="a thought"))
    assert list(reader.events("r1")) == []


@pytest.mark.parametrize("last", [contract.Finished, contract.Failed])
def test_the_last_event_is_the_end_of_its_run_and_stored_once(
    last: type[contract.Finished | contract.Failed], writer: LedgerWriter, reader: LedgerReader
) -> None:
    error = None if last is contract.Finished else ErrorInfo(code="stall.model", message="silent")
    result = make_result("r1", error=error)
    writer.begin("r1", make_request(), "claude-cli")
    writer.record("r1", last(result=result))
    writer.finish(result)
    assert reader.run("r1").result == result
    (event,) = reader.events("r1")
    assert event.event["type"] == ("finished" if error is None else "failed")


def test_evidence_is_known_before_and_after_the_end(writer: LedgerWriter, reader: LedgerReader) -> None:
    writer.begin("r1", make_request(), "claude-cli")
    assert reader.evidence("r1") == ()
    writer.record("r1", GATE)
    assert reader.evidence("r1") == GATE.evidence
    later = (*GATE.evidence, Evidence("isUsingOverage", False, "after"))
    result = make_result("r1")
    writer.finish(
        msgspec.structs.replace(result, receipt=msgspec.structs.replace(result.receipt, evidence=later))
    )
    assert reader.evidence("r1") == later


def test_a_run_cannot_begin_twice_nor_end_or_tell_before_it_began(writer: LedgerWriter) -> None:
    writer.begin("r1", make_request(), "claude-cli")
    calls: list[Callable[[], None]] = [
        lambda: writer.begin("r1", make_request(), "claude-cli"),
        lambda: writer.record("r2", GATE),
        lambda: writer.finish(make_result("r2")),
    ]
    for call in calls:
        with pytest.raises(InternalError) as caught:
            call()
        assert caught.value.info.code == "bug.ledger"
        assert caught.value.info.whose_turn == "bug"


def test_the_file_is_private_and_leaves_nothing_beside_it(path: Path) -> None:
    writer = make_writer(path)
    writer.begin("r1", make_request(), "claude-cli")
    assert {it.name: it.stat().st_mode & 0o777 for it in path.parent.iterdir()} == {
        "runs.db": 0o600,
        "runs.db-wal": 0o600,
        "runs.db-shm": 0o600,
    }
    writer.close()
    with LedgerReader(path) as reader:
        reader.run("r1")
    assert [it.name for it in path.parent.iterdir()] == ["runs.db"]


def test_a_closed_ledger_opens_again(writer: LedgerWriter, reader: LedgerReader) -> None:
    writer.begin("r1", make_request(), "claude-cli")
    writer.close()
    reader.run("r1")
    reader.close()
    writer.record("r1", GATE)
    assert len(list(reader.events("r1"))) == 1


def test_states_are_synced_to_disk_and_events_are_not(writer: LedgerWriter) -> None:
    def sync() -> int:
        assert writer._db is not None
        return int(writer._db.execute("PRAGMA synchronous").fetchone()[0])

    full, normal = 2, 1
    writer.begin("r1", make_request(), "claude-cli")
    assert sync() == normal
    writer.record("r1", GATE)
    assert sync() == normal
    # The disk is waited for while the model thinks, and before anybody sees something of its answer.
    writer.record("r1", contract.Started(run_id="r1", provider="claude-cli", model="m", cwd="/"))
    assert sync() == full
    writer.record("r1", contract.Progress(state="requesting"))
    assert sync() == normal
    writer.finish(make_result("r1"))
    assert sync() == full


# --- The event loop ---


async def test_the_event_loop_goes_on_while_the_disk_is_waited_for(path: Path) -> None:
    ledger = AsyncLedger(make_writer(path), ProcessRegistry(path.parent / "live"))
    port: Ledger = ledger
    await port.begin("r1", make_request(), "claude-cli")
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other, other:
        other.execute("BEGIN IMMEDIATE")
        waiting = [
            asyncio.create_task(ledger.record("r1", contract.Progress(state=str(n)))) for n in range(20)
        ]
        for _ in range(1000):
            await asyncio.sleep(0)
        assert not any(task.done() for task in waiting)
        other.execute("COMMIT")
    await asyncio.gather(*waiting)
    await ledger.finish(make_result("r1"))
    await ledger.close()
    with LedgerReader(path) as reader:
        assert [it.event["state"] for it in list(reader.events("r1"))[:-1]] == [str(n) for n in range(20)]


async def test_a_write_that_was_asked_for_is_done_even_when_nobody_waits_for_it(path: Path) -> None:
    ledger = AsyncLedger(make_writer(path), ProcessRegistry(path.parent / "live"))
    await ledger.begin("r1", make_request(), "claude-cli")
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other, other:
        other.execute("BEGIN IMMEDIATE")
        tasks = [
            asyncio.create_task(ledger.record("r1", GATE)),
            asyncio.create_task(ledger.finish(make_result("r1"))),
        ]
        await asyncio.sleep(0)
        for task in tasks:
            task.cancel()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
        assert [type(it) for it in ended] == [asyncio.CancelledError] * 2
        other.execute("COMMIT")
    await ledger.close()
    with LedgerReader(path) as reader:
        assert [it.event["type"] for it in reader.events("r1")] == ["wallet_verified", "finished"]


async def test_a_closed_ledger_leaves_no_thread(path: Path) -> None:
    before = set(threading.enumerate())
    ledger = AsyncLedger(make_writer(path), ProcessRegistry(path.parent / "live"))
    await ledger.begin("r1", make_request(), "claude-cli")
    await ledger.close()
    assert set(threading.enumerate()) == before


# --- Runs whose process died ---


def test_a_run_whose_process_is_gone_ends_as_cancelled(writer: LedgerWriter, reader: LedgerReader) -> None:
    writer.begin("cut-early", make_request(), "claude-cli")
    writer.begin("cut-late", make_request(), "claude-cli")
    writer.record("cut-late", GATE)
    writer.begin("ended", make_request(), "claude-cli")
    writer.finish(make_result("ended"))
    asked: list[str] = []

    def is_alive(run_id: str) -> bool:
        asked.append(run_id)
        return False

    assert writer.sweep(is_alive) == ["cut-early", "cut-late"]
    assert asked == ["cut-early", "cut-late"]
    early, late = reader.run("cut-early").result, reader.run("cut-late").result
    assert early is not None
    assert late is not None
    # With the gate's yes the prompt may have left.
    assert (early.receipt.attempts, late.receipt.attempts) == (0, 1)
    assert (
        early.error
        == late.error
        == ErrorInfo(
            code="cancelled",
            message="The process ended before the run did: `4242`\n  found when oneseat started again",
        )
    )
    # Before the gate's yes nothing can have been sent. After it nobody knows what was, so nothing is claimed.
    assert (early.status, early.receipt.verdict, early.receipt.wallet) == (
        "cancelled",
        "nothing_sent",
        "unknown",
    )
    assert (early.receipt.usage, early.receipt.cost_usd) == (NO_TOKENS, 0.0)
    assert (late.status, late.receipt.verdict, late.receipt.wallet) == ("cancelled", "unverified", "plan")
    assert (late.receipt.usage, late.receipt.cost_usd) == (TokenUsage(), None)
    assert late.receipt.evidence == GATE.evidence
    assert writer.sweep(is_alive) == []
    assert reader.run("ended").summary.status == "completed"


def test_a_run_whose_process_lives_is_let_be(writer: LedgerWriter, reader: LedgerReader) -> None:
    writer.begin("r1", make_request(), "claude-cli")
    assert writer.sweep(lambda run: run == "r1") == []
    assert reader.run("r1").summary.status == "running"


def test_two_starts_end_a_dead_run_once(path: Path, writer: LedgerWriter) -> None:
    writer.begin("r1", make_request(), "claude-cli")
    other = make_writer(path)

    def is_alive(_run: str) -> bool:
        # The other start comes first, between our look and our lock.
        assert other.sweep(lambda _run: False) == ["r1"]
        return False

    assert writer.sweep(is_alive) == []
    other.close()


def test_nobody_writes_between_the_second_look_at_dead_runs_and_their_end(
    path: Path, writer: LedgerWriter
) -> None:
    writer.begin("r1", make_request(), "claude-cli")
    other = make_writer(path, busy_timeout_s=0.0)
    kept_out: list[str] = []

    def intrude(statement: str) -> None:
        if statement.startswith("SELECT provider"):
            kept_out.append(refused(lambda: other.begin("r2", make_request(), "claude-cli")).code)

    assert writer._db is not None
    writer._db.set_trace_callback(intrude)
    assert writer.sweep(lambda _run: False) == ["r1"]
    assert kept_out == ["usage.ledger_busy"]
    other.close()


def test_the_search_for_dead_runs_reads_no_history(writer: LedgerWriter) -> None:
    writer.begin("r1", make_request(), "claude-cli")
    assert writer._db is not None
    (plan,) = writer._db.execute("EXPLAIN QUERY PLAN SELECT id FROM runs WHERE status = 'running'").fetchall()
    assert "runs_going_on" in plan[3]


def test_an_end_that_was_only_late_replaces_the_guess(writer: LedgerWriter, reader: LedgerReader) -> None:
    writer.begin("r1", make_request(), "claude-cli")
    writer.sweep(lambda _run: False)
    writer.finish(make_result("r1"))
    assert reader.runs(RunFilter(since=datetime(2026, 1, 1, tzinfo=UTC)))[0].status == "completed"


# --- What is kept from the file ---

SECRET = "sk-ant-oat01-PLANTED"


def redact(text: str) -> str:
    return text.replace(SECRET, "[redacted]")


def bytes_of(path: Path) -> bytes:
    return b"".join(it.read_bytes() for it in sorted(path.parent.iterdir()))


def test_no_planted_secret_reaches_the_file(path: Path) -> None:
    writer = make_writer(path, redact)
    # At the end of what a preview shows: cut first, half of it would stay.
    writer.begin("r1", make_request("p" * 190 + SECRET, cwd=f"/w/{SECRET}", model=SECRET), "claude-cli")
    events = [
        contract.WalletVerified(wallet="plan", evidence=(Evidence("helper", SECRET, "before"),)),
        contract.Started(run_id="r1", provider="claude-cli", model=SECRET, cwd=SECRET, tools=(SECRET,)),
        contract.TextDelta(text=SECRET),
        contract.ThinkingDelta(text=SECRET),
        contract.Message(text=f"it is {SECRET}, {SECRET}"),
        contract.ToolCall(id=SECRET, name=SECRET, input={SECRET: [{"a": (SECRET, [SECRET])}], "b": SECRET}),
        contract.ToolResult(id="t", text=f"\0é\n{SECRET}\n"),
        contract.Retry(attempt=1, max_attempts=2, delay_s=0.1, status=401, cause=SECRET),
        contract.Unknown(raw=f'{{"key":"{SECRET}"}}', why=SECRET),
        contract.TurnEnded(
            text=SECRET, structured=[SECRET], error=ErrorInfo(code="provider.x", message=SECRET)
        ),
    ]
    for event in events:
        writer.record("r1", event)
    error = ErrorInfo(code="provider.api_error", message=f"key {SECRET}", hint=SECRET)
    result = make_result("r1", error=error, text=SECRET, structured={"k": SECRET})
    receipt = msgspec.structs.replace(
        result.receipt, model=SECRET, evidence=(Evidence("x", SECRET, "after"),)
    )
    writer.finish(msgspec.structs.replace(result, receipt=receipt))
    found = bytes_of(path)
    assert (path.parent / "runs.db-wal").stat().st_size > 10_000
    assert b"[redacted]" in found
    assert SECRET.encode() not in found
    assert b"sk-ant-oat" not in found
    writer.close()
    assert SECRET.encode() not in bytes_of(path)


def test_without_text_nothing_asked_or_answered_is_kept(path: Path) -> None:
    said = "CONTENT-7f3a"
    writer = make_writer(path, keep_text=False)
    writer.begin("r1", make_request(said), "claude-cli")
    for event in (
        contract.Message(text=said, subagent="t0"),
        contract.ToolCall(id="t1", name="Bash", input={"command": said}),
        contract.ToolResult(id="t1", text=said),
        contract.Unknown(raw=said, why="new"),
        contract.TurnEnded(text=said, structured={"a": said}, list_cost_usd=0.5),
    ):
        writer.record("r1", event)
    writer.finish(make_result("r1", text=said, structured=[said]))
    assert said.encode() not in bytes_of(path)
    with LedgerReader(path) as reader:
        run = reader.run("r1")
        assert (run.text_kept, run.summary.prompt_preview, run.summary.prompt_bytes) == (False, None, 12)
        assert run.result is not None
        assert (run.result.text, run.result.structured, run.result.receipt.cost_usd) == ("", None, 0.0)
        stored = [it.event for it in reader.events("r1")]
    assert stored[0] == {"type": "message", "text": "", "subagent": "t0"}
    assert stored[1] == {"type": "tool_call", "id": "t1", "name": "Bash", "input": {}, "subagent": None}
    assert (stored[4]["list_cost_usd"], stored[4]["structured"]) == (0.5, None)
    writer.close()


def test_of_an_event_nobody_sorted_only_its_type_is_kept(path: Path) -> None:
    class Novelty(contract.Event, frozen=True, tag="novelty"):
        """An event of a later version."""

        words: str

    said = "CONTENT-7f3a"
    writer = make_writer(path, keep_text=False)
    writer.begin("r1", make_request(), "claude-cli")
    writer.record("r1", Novelty(words=said))
    assert said.encode() not in bytes_of(path)
    with LedgerReader(path) as reader:
        assert [it.event for it in reader.events("r1")] == [{"type": "novelty"}]
    writer.close()


def test_every_event_is_sorted_into_what_may_be_kept_without_text() -> None:
    tags = {kind.__struct_config__.tag for kind in vars(contract).values() if _is_event(kind)}
    elsewhere = {kind.__struct_config__.tag for kind in (*TRANSIENT, contract.Finished, contract.Failed)}
    assert set(_CONTENT) == tags - elsewhere


def _is_event(kind: object) -> bool:
    return isinstance(kind, type) and issubclass(kind, contract.Event) and kind is not contract.Event
