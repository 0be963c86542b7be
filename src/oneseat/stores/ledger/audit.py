"""What `oneseat usage --check` compares: one consistent snapshot of the ledger."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from oneseat.contract.receipt import LimitReading, TokenUsage, cost_or_none
from oneseat.contract.reports.audit import LimitFact, RunFact, SessionDeps, SessionFact
from oneseat.stores.transcripts.doubles import UNDATED
from oneseat.stores.transcripts.lenient_reader import moment

from . import failures
from .schema import open_ledger

#: Real runs. A run that ended before its wallet was known is not simulated.
_REAL = "coalesce(runs.expected_wallet, '') != 'simulator' AND coalesce(runs.wallet, '') != 'simulator'"
_RUNS = f"""
    SELECT id, created_at, ended_at, status, model, verdict, cost_usd, equivalent_cost_usd, result
    FROM runs WHERE {_REAL} AND created_at >= ? AND created_at < ? ORDER BY created_at
"""  # noqa: S608 - no value is in the text
#: Runs with subagents, several models, or tools of the CLI that ask a model themselves: their cost covers all of them, their
#: tokens only the main conversation.
_MIXED = """
    SELECT run_id FROM events WHERE type IN ('usage', 'model_fallback', 'tool_call', 'turn_ended') AND json_valid(json)
    GROUP BY run_id
    HAVING max(type = 'model_fallback') OR max(type = 'usage' AND json_extract(json, '$.subagent') IS NOT NULL)
        OR count(DISTINCT CASE type WHEN 'usage' THEN json_extract(json, '$.model') END) > 1
        OR max(type = 'tool_call' AND json_extract(json, '$.name') IN ('WebFetch', 'WebSearch'))
        OR max(type = 'turn_ended' AND json_array_length(json, '$.cost_models') > 1)
"""
_LIMITS = f"""
    SELECT events.json FROM events JOIN runs ON runs.id = events.run_id
    WHERE events.type = 'limit_seen' AND {_REAL} AND events.at >= ? AND events.at < ? ORDER BY events.id
"""  # noqa: S608 - as above
#: Reports from outside of runs are only in this table; those of runs are in both, and equal.
_REPORTED = """
    SELECT window, source, used, resets_at, first_at, last_at FROM limits
    WHERE NOT simulated AND used IS NOT NULL AND resets_at IS NOT NULL AND last_at >= ? AND first_at < ?
"""
_SESSIONS = "SELECT id, project, used_at FROM sessions WHERE wallet != 'simulator' AND ended_at IS NULL"


class _Receipt(msgspec.Struct, frozen=True):
    usage: TokenUsage
    web_searches: int = 0
    cost_source: str = "unknown"


class _Result(msgspec.Struct, frozen=True):
    receipt: _Receipt


class _Seen(msgspec.Struct, frozen=True):
    limit: LimitReading


def read_facts(path: Path, since: str, until: str) -> SessionDeps:
    """The facts from ``since`` on and before ``until``, both ISO 8601 UTC. A missing ledger is an empty one.

    Raises ``UsageError`` when the file at ``path`` cannot be used.
    """
    if not path.exists():
        return SessionDeps((), (), ())
    with failures.reported(path), contextlib.closing(open_ledger(path, 30.0)) as db:
        db.execute("PRAGMA query_only = ON")
        db.execute("BEGIN")  # one snapshot, whatever is written meanwhile
        span = (since, until)
        mixed = {run for (run,) in db.execute(_MIXED)}
        return SessionDeps(
            tuple(_runs(db.execute(_RUNS, span), mixed)),
            tuple(dict.fromkeys([*_limits(db, span), *_reported(db, span)])),
            tuple(SessionFact(name, project, moment(used)) for name, project, used in db.execute(_SESSIONS)),
        )


def _runs(rows: Iterable[Any], mixed: set[str]) -> Iterator[RunFact]:
    for row in rows:
        # A row that cannot be read is in the report's footnote, which the index of usage counts.
        with contextlib.suppress(msgspec.DecodeError):
            yield _run(row, mixed)


def _run(row: Any, mixed: set[str]) -> RunFact:
    run, created, ended, status, model, verdict, charged, listed, result = row
    receipt = msgspec.json.decode(result, type=_Result).receipt if result else None
    counts = msgspec.structs.astuple(receipt.usage) if receipt is not None else (None,)
    known = len(counts) == 5 and counts[0] is not None and counts[1] is not None
    given, out, read, five, hour = (count or 0 for count in counts) if known else (0,) * 5
    return RunFact(
        id=run,
        began=moment(created),
        ended=None if ended is None else moment(ended),
        status=status,
        model=model or "",
        verdict=verdict,
        charged=cost_or_none(charged),
        listed=cost_or_none(listed),
        # What a search finds is read in requests of its own, which the cost covers and the tokens do not.
        comparable=receipt is not None
        and receipt.cost_source == "cli"
        and not receipt.web_searches
        and run not in mixed,
        tokens=(given, out, read, five, hour) if known else None,
    )


def _limits(db: sqlite3.Connection, span: tuple[str, str]) -> list[LimitFact]:
    found = []
    for (text,) in db.execute(_LIMITS, span):
        try:
            limit = msgspec.json.decode(text, type=_Seen).limit
        except msgspec.DecodeError:
            continue
        resets, at = moment(limit.resets_at), moment(limit.read_at)
        # A report without a share or a valid time cannot be compared.
        if limit.used is not None and UNDATED not in (resets, at):
            found.append(LimitFact(limit.window, limit.source, limit.used, resets, at))
    return found


def _reported(db: sqlite3.Connection, span: tuple[str, str]) -> list[LimitFact]:
    since, until = (moment(bound) / 1000 for bound in span)
    return [
        LimitFact(window, source, used, round(resets * 1000), round(at * 1000))
        for window, source, used, resets, *seen in db.execute(_REPORTED, (since, until))
        for at in dict.fromkeys(seen)
    ]
