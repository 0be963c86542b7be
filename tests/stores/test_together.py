"""Events that came together are in the ledger together, in their order, or none of them is."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from oneseat.contract import events as contract
from oneseat.contract.errors import InternalError
from oneseat.contract.receipt import Evidence
from oneseat.stores.ledger.reader import LedgerReader

from .making import make_request, make_writer

GATE = contract.WalletVerified(
    wallet="plan", evidence=(Evidence("account.tokenSource", "CLAUDE_CODE_OAUTH_TOKEN", "before"),)
)


def test_events_that_come_together_are_stored_together(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    with closing(make_writer(path)) as writer, LedgerReader(path) as reader:
        writer.begin("r1", make_request("one"), "claude-cli")
        told = [contract.Message(text=f"piece {number}") for number in range(5)]
        writer.record("r1", GATE, contract.TextDelta(text="no"), *told[:3])
        writer.record("r1", *told[3:])
        stored = list(reader.events("r1"))
        assert [event.event for event in stored] == [
            msgspec.json.decode(msgspec.json.encode(event)) for event in (GATE, *told)
        ]
        assert [event.seq for event in stored] == [1, 2, 3, 4, 5, 6]
        with pytest.raises(InternalError):
            writer.record("nobody", *told)
        assert len(list(reader.events("r1"))) == 6
