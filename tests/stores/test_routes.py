"""Where a run went and who continues what: providers, keys, and conversations of two seats in one place."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from oneseat.contract.events import Routed, WalletVerified
from oneseat.contract.receipt import Evidence
from oneseat.contract.sessions import Session
from oneseat.stores.ledger.reader import LedgerReader
from oneseat.stores.ledger.schema import open_ledger
from oneseat.stores.ledger.writer import LedgerWriter

from .making import make_request, make_writer

TALK = Session(
    id="s1",
    project="shop",
    cwd="/desk",
    wallet="plan",
    provider="claude-cli",
    created_at="2026-11-20T14:00:00.000Z",
    used_at="2026-11-20T14:00:00.000Z",
    messages=1,
    instructions="",
)


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[LedgerWriter]:
    with closing(make_writer(tmp_path / "runs.db")) as writer:
        yield writer


def test_a_run_is_found_under_the_provider_it_went_to_last(writer: LedgerWriter, tmp_path: Path) -> None:
    writer.begin("r1", make_request(), "claude-cli")
    writer.routed("r1", "claude-cli", "plan", None, 0.0)
    writer.routed("r1", "anthropic", "api_key", "work", 0.0)
    with LedgerReader(tmp_path / "runs.db") as reader:
        assert reader.run("r1").summary.provider == "anthropic"
    db = open_ledger(tmp_path / "runs.db", 1.0)
    assert db.execute("SELECT paid_from, key_name FROM runs").fetchall() == [("api_key", "work")]
    db.close()


def test_two_seats_have_a_live_conversation_each_in_one_place(writer: LedgerWriter) -> None:
    other = msgspec.structs.replace(TALK, id="s2", provider="codex-cli", used_at="2026-11-20T15:00:00.000Z")
    for run_id, session in (("r1", TALK), ("r2", other)):
        writer.begin(run_id, make_request(), session.provider)
        writer.use_session(session, run_id, "new_session")
    assert writer.live_session("shop", "/desk", "plan", "claude-cli") == TALK
    assert writer.live_session("shop", "/desk", "plan", "codex-cli") == other
    assert writer.live_session("shop", "/desk", "plan", "gemini") is None
    # A fresh one takes the place of its own seat's only.
    writer.use_session(
        msgspec.structs.replace(TALK, id="s3", used_at="2026-11-20T16:00:00.000Z"), "r1", "age"
    )
    assert writer.live_session("shop", "/desk", "plan", "codex-cli") == other
    assert {session.id for session in writer.end_sessions("shop")} == {"s2", "s3"}


def test_a_run_that_was_killed_on_a_key_is_not_said_to_be_paid_by_the_plan(
    writer: LedgerWriter, tmp_path: Path
) -> None:
    on_plan = WalletVerified(wallet="plan", evidence=(Evidence("account", "made up", "before"),))
    on_key = WalletVerified(wallet="api_key", evidence=(Evidence("key.name", "work", "before"),))
    for run_id, *after in (("before-its-gate",), ("on-the-key", on_key)):
        writer.begin(run_id, make_request(), "claude-cli")
        writer.record(run_id, Routed(provider="claude-cli", model=None, paid_from="plan"), on_plan)
        writer.routed(run_id, "anthropic", "api_key", "work", 0.0)
        writer.record(run_id, Routed(provider="anthropic", model=None, paid_from="api_key", key="work"))
        writer.record(run_id, *after)
    assert len(writer.sweep(lambda _run: False)) == 2
    with LedgerReader(tmp_path / "runs.db") as reader:
        first, second = reader.run("before-its-gate").result, reader.run("on-the-key").result
    assert first is not None
    assert second is not None
    assert (first.receipt.provider, first.receipt.wallet) == ("claude-cli", "plan")
    assert (second.receipt.provider, second.receipt.wallet) == ("anthropic", "api_key")
    assert second.receipt.evidence == on_key.evidence
    assert (second.receipt.verdict, second.receipt.cost_usd) == ("unverified", None)
