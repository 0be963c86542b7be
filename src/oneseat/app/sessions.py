"""The conversations of projects and of directories."""

from __future__ import annotations

from typing import Literal

from oneseat.contract.errors import ErrorInfo, UsageError
from oneseat.contract.history import RunFilter
from oneseat.contract.reports.runs import SessionList, SessionReport
from oneseat.contract.request import SessionUse
from oneseat.contract.sessions import Session
from oneseat.host.paths import working_directory
from oneseat.installation import Installation
from oneseat.stores.ledger.reader import LedgerReader

from .requests import Place
from .runs import opened_reader
from .wiring import opened_ledger

__all__ = ["end_sessions", "find_session", "find_sessions", "place_to_resume"]

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


def place_to_resume(
    here: Installation, which: str | Literal[True], cwd: str | None, wait_s: float = 0.0
) -> Place:
    """Where a run belongs that goes on with the last conversation of a directory, or with the one that ``which`` names.

    ``which`` is the id of a session or of a run, or the beginning of one. A session of a project goes on in its project; of a
    run without a session the new one gets a quotation. ``cwd`` is the working directory by default. Raises ``UsageError``
    ``usage.no_such_session``, ``usage.no_such_run``, ``usage.ambiguous_run``, ``usage.bad_directory``, and like ``find_runs``.
    """
    with opened_reader(here) as ledger:
        if which is True:
            return _last(here, ledger, cwd or str(working_directory()), wait_s)
        session = _begun_with(ledger, which)
        if session is not None:
            return _place(session, cwd, wait_s)
        stored = ledger.run(which)
        stamp = stored.result.session if stored.result is not None else None
        if stamp is not None:
            return _place(ledger.session(stamp.id), cwd, wait_s)
        if not stored.text_kept or stored.summary.prompt_preview is None:
            raise _nothing_to_continue(which, "the run kept no text that could be quoted")
        after = SessionUse(after=stored.summary.id, wait_s=wait_s)
        return Place(_same(cwd, stored.summary.cwd), None, after)


def _last(here: Installation, ledger: LedgerReader, cwd: str, wait_s: float) -> Place:
    last = ledger.last_in(cwd, simulated=here.settings.simulator_url is not None)
    if last is None:
        raise _nothing_to_continue(cwd, "the ledger has no answered run of this directory")
    if last.session is not None:
        return _place(ledger.session(last.session), cwd, wait_s)
    if not last.text_kept:
        raise _nothing_to_continue(cwd, "its last run kept no text that could be quoted")
    return Place(cwd, None, SessionUse(after=last.id, wait_s=wait_s))


def _begun_with(ledger: LedgerReader, which: str) -> Session | None:
    found = [session for session in ledger.sessions() if session.id.startswith(which)]
    return found[0] if len(found) == 1 else None


def _place(session: Session, cwd: str | None, wait_s: float) -> Place:
    if not session.project.startswith("@"):
        return Place(None, session.project)
    use = SessionUse(name=session.project[1:], after=session.id, wait_s=wait_s)
    return Place(_same(cwd, session.cwd), None, use)


def _same(cwd: str | None, of_it: str) -> str:
    """The directory of a conversation, which cannot go on in another one."""
    if cwd in (None, of_it):
        return of_it
    raise UsageError(
        ErrorInfo(
            code="usage.bad_directory",
            message=f"The conversation belongs to another directory: `{cwd}`\n  it is tied to `{of_it}`",
        )
    )


def _nothing_to_continue(which: str, why: str) -> UsageError:
    return UsageError(
        ErrorInfo(
            code="usage.no_such_session",
            message=f"There is no conversation to continue: `{which}`\n  {why}",
            hint='Begin one: `oneseat run "say hello"`',
        )
    )


async def end_sessions(here: Installation, project: str) -> SessionList:
    """End the conversations of a project and return them. Raises ``UsageError`` when the ledger cannot be used."""
    here.paths.ensure()
    async with opened_ledger(here) as ledger:
        return SessionList(sessions=tuple(await ledger.end_sessions(project)))
