"""The conversations of projects."""

from __future__ import annotations

from oneseat.contract.history import RunFilter
from oneseat.contract.reports.runs import SessionList, SessionReport
from oneseat.installation import Installation

from .runs import opened_reader
from .wiring import opened_ledger

__all__ = ["end_sessions", "find_session", "find_sessions"]

_RUNS_SHOWN = 100


def find_sessions(here: Installation, *, ended: bool = False) -> SessionList:
    """The conversations that can go on, the last used first; with ``ended`` all of them. Raises like ``find_runs``."""
    with opened_reader(here) as ledger:
        found = [session for session in ledger.sessions() if ended or session.ended_at is None]
        return SessionList(sessions=tuple(found), not_read=ledger.not_read)


def find_session(here: Installation, name: str) -> SessionReport:
    """One conversation and its last runs, oldest first; ``name`` is its id, the beginning of it, or a project.

    Raises ``UsageError`` for a name that fits none or several, and like ``find_runs``.
    """
    with opened_reader(here) as ledger:
        session = ledger.session(name)
        runs = ledger.runs(RunFilter(session=session.id, limit=_RUNS_SHOWN))
        return SessionReport(session=session, runs=tuple(reversed(runs)), not_read=ledger.not_read)


async def end_sessions(here: Installation, project: str) -> SessionList:
    """End the conversations of a project and return them. Raises ``UsageError`` when the ledger cannot be used."""
    here.paths.ensure()
    async with opened_ledger(here) as ledger:
        return SessionList(sessions=tuple(await ledger.end_sessions(project)))
