"""Compare receipts, transcripts and limits, and report what does not add up."""

from __future__ import annotations

import time
from datetime import UTC, date, datetime, timedelta

from oneseat._util.time import iso_ms
from oneseat.contract.reports.audit import CheckReport
from oneseat.installation import Installation
from oneseat.rules.usage.audit import reconcile
from oneseat.stores.ledger.audit import read_facts

from .prices import price_table
from .runs import opened_reader
from .usage import read_others

__all__ = ["check_usage"]

#: What is not between them is no date of a transcript.
_FIRST, _LAST = date(2000, 1, 1), date(2099, 12, 30)


def check_usage(here: Installation, since: date | None, until: date | None) -> CheckReport:
    """Compare everything from the day ``since`` to ``until``, both included and in this machine's time zone; ``None`` is no bound.

    Raises ``UsageError``: those of the ledger and of ``read_usage``.
    """
    first = _moment(max(since or _FIRST, _FIRST))
    last = _moment(min(until or _LAST, _LAST) + timedelta(days=1))
    opened_reader(here).close()  # recovers runs whose process is gone
    facts = read_facts(here.paths.runs_db, iso_ms(first), iso_ms(last))
    everything, transcripts, not_read = read_others(here)
    others = [(at, part) for at, part in everything if _ms(first) <= at < _ms(last)]
    prices = price_table(here)
    findings = reconcile(facts, others, transcripts, prices.of, time.time_ns() // 1_000_000)
    return CheckReport(
        adds_up=not any(each.wrong for each in findings),
        checked={
            "runs": len(facts.runs),
            "other_answers": sum(part.answers for _, part in others),
            "limit_readings": len(facts.limits),
            "conversations": len(facts.sessions),
        },
        findings=findings,
        not_read=not_read,
    )


def _moment(day: date) -> datetime:
    return datetime(day.year, day.month, day.day).astimezone().astimezone(UTC)


def _ms(at: datetime) -> int:
    return (at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)
