"""From an installation to an app: its providers, ledger, policy, budgets and observers."""

from __future__ import annotations

import contextlib
import functools
import secrets
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from typing import Any

import msgspec

from oneseat.compat.gate import VersionGate
from oneseat.contract.errors import ErrorInfo, OneseatError, UsageError
from oneseat.contract.ports import Observer, RunHistory
from oneseat.contract.routing import Candidate
from oneseat.contract.warm import PoolLimits
from oneseat.engine.app import App, RunStream
from oneseat.engine.budgets import BudgetContext
from oneseat.engine.deps import RunDeps, as_it_is
from oneseat.engine.limits import WindowGuard
from oneseat.engine.policy import PolicyContext
from oneseat.engine.sessions import SessionDeps
from oneseat.engine.watchdog import Timeouts
from oneseat.host import workers
from oneseat.host.clock import SystemClock
from oneseat.host.environment import nesting_depth
from oneseat.host.locks import ProjectLocks
from oneseat.host.slots import FileSlots
from oneseat.installation import Installation, new_run_id
from oneseat.providers.claude_cli.provider import ClaudeCliProvider
from oneseat.rules.inputs import schemas
from oneseat.rules.runs.retry import RetryLimits
from oneseat.rules.runs.sessions import Nesting, SessionLimits
from oneseat.settings import Settings
from oneseat.stores.ledger.async_ledger import AsyncLedger
from oneseat.telemetry.dispatcher import Dispatcher
from oneseat.telemetry.json_lines import logging_to
from oneseat.telemetry.log import LogObserver
from oneseat.telemetry.records import EventLog, has_handlers

from .prices import budgets, price_table
from .providers import (
    KeyProviders,
    ProviderRegistry,
    build_codex,
    build_provider,
    unreachable_simulator,
)
from .runs import ledger_writer, live_processes, locks_folder, recover

__all__ = ["App", "RunStream", "build_app", "check_answer", "new_run_id", "opened_app", "opened_ledger"]

#: How long an answer may be checked against its schema, in seconds. An ordinary one takes a hundredth of a second.
_CHECK_S = 10.0


@contextlib.asynccontextmanager
async def opened_app(
    here: Installation,
    *,
    observers: Sequence[Observer] = (),
    as_command: bool = False,
    warm: int = 0,
    say: Callable[[str], None] | None = None,
    words: Callable[[ErrorInfo], ErrorInfo] = as_it_is,
) -> AsyncIterator[App]:
    """An app on this machine's ledger; closes the ledger on leaving.

    ``observers`` are told of its runs. With ``as_command`` orphaned processes of its runs are adopted and ended, the log goes
    where the settings say, and traces where the variable OTEL_TRACES_EXPORTER says; else they go where the program sends
    them. ``warm`` is how many processes of the CLI are started ahead. ``say`` gets one line before an untested version of the
    CLI is tried, and ``words`` puts errors of runs into the words of whoever reads them. Raises ``UsageError`` when the
    settings or the ledger cannot be used.
    """
    settings = here.settings
    here.paths.ensure()
    with _in_command(here) if as_command else contextlib.nullcontext(()) as orphans:
        # A variable may be called anything: that its value is a key, the settings say.
        here.redactor.add_secret(*(here.env.get(key.env or "", "").strip() for key in here.keys.values()))
        records = EventLog(here.redactor.redact)
        own = _own_observers(here, records, as_command=as_command)
        audience = Dispatcher([*observers, *orphans, *own], records)
        async with opened_ledger(here) as ledger:
            provider = build_provider(here)
            async with _warm(provider, _pool_limits(settings, warm)):
                admit = _admission(here, VersionGate(here, say))
                yield build_app(here, ledger, audience, provider, admit, words)


@contextlib.contextmanager
def _in_command(here: Installation) -> Iterator[tuple[Observer, ...]]:
    """Log, and adopt orphaned processes: only a program of oneseat's own may do this to itself. Yields what ends the orphans."""
    from oneseat.host.processes import orphans, subreaper  # noqa: PLC0415 - ctypes, 2.5 ms that only a command has a use for

    live = live_processes(here)
    subreaper.become_subreaper()
    try:
        with _logging(here.settings), live.new_entry() as marker:
            # Elsewhere, orphans belong to the system.
            yield (orphans.OrphanObserver(live, marker),) if sys.platform == "linux" else ()
    finally:
        subreaper.kill_orphans()


def _admission(here: Installation, versions: VersionGate) -> Callable[[str], Awaitable[None]]:
    async def admit(provider: str) -> None:
        error = await unreachable_simulator(here)
        if error is not None:
            raise OneseatError(error)
        await versions.check(provider)

    return admit


async def _foresee(here: Installation, candidate: Candidate) -> ErrorInfo | None:
    from .foresight import foreseen  # noqa: PLC0415 - only `oneseat route` asks

    return await foreseen(here, candidate)


def _warm(provider: ClaudeCliProvider, limits: PoolLimits) -> contextlib.AbstractAsyncContextManager[None]:
    return provider.warm(limits) if limits.size else contextlib.nullcontext()


def _logging(settings: Settings) -> contextlib.AbstractContextManager[None]:
    if settings.log_level is None and settings.log_file is None:
        return contextlib.nullcontext()
    return logging_to(settings.log_level or "info", settings.log_file)


def _own_observers(here: Installation, records: EventLog, *, as_command: bool) -> Iterator[Observer]:
    if has_handlers():
        yield LogObserver(records)
    if here.settings.telemetry_otel:
        yield _otel(here, as_command=as_command)


def _otel(here: Installation, *, as_command: bool) -> Observer:
    try:
        from oneseat.telemetry.otel import OtelObserver  # noqa: PLC0415 - an extra, which most do without
        from oneseat.telemetry.otel_export import provider_as_set  # noqa: PLC0415 - as above
    except ImportError:
        raise UsageError(
            ErrorInfo(
                code="usage.otel",
                message="OpenTelemetry is not installed: `telemetry.otel = true`",
                hint="Install it: `pip install 'oneseat[otel]'`",
            )
        ) from None
    return OtelObserver(here.redactor.redact, provider_as_set(here.env) if as_command else None)


@contextlib.asynccontextmanager
async def opened_ledger(here: Installation) -> AsyncIterator[AsyncLedger]:
    """The ledger of this machine, after recovering the runs of processes that were killed."""
    writer = ledger_writer(here, keep_text=here.settings.ledger_keep_text)
    ledger = AsyncLedger(writer, live_processes(here))
    try:
        await ledger.do(lambda own: recover(here, own))
        yield ledger
    finally:
        await ledger.close()


def build_app(
    here: Installation,
    ledger: AsyncLedger,
    audience: Dispatcher,
    provider: ClaudeCliProvider,
    admit: Callable[[str], Awaitable[None]],
    words: Callable[[ErrorInfo], ErrorInfo] = as_it_is,
) -> App:
    """Wire one app together. ``admit`` is asked before each run, with its provider; ``words`` as in ``opened_app``."""
    settings, depth = here.settings, nesting_depth(here.env)
    locks = locks_folder(here)
    clock = SystemClock()
    providers = ProviderRegistry(provider, lambda: build_codex(here), KeyProviders(here))
    parts = RunDeps(
        provider=provider,
        providers=providers,
        routes=here.routes,
        outcomes=ledger,
        ledger=ledger,
        clock=clock,
        policy=_counsel(here, ledger),
        timeouts=_patience(settings),
        sessions=SessionDeps(ledger, ProjectLocks(locks), _session_limits(settings)),
        slots=FileSlots(
            locks,
            at_once=settings.run_max_parallel,
            depth=depth,
            expires_at=providers.login_expires_at,
            now=time.time,
        ),
        nesting=Nesting(depth, settings.run_max_depth),
        retry=RetryLimits(max_attempts=settings.retry_max_attempts, max_wait_s=settings.retry_max_wait_s),
        chance=secrets.SystemRandom().random,
        telemetry=audience,
        admit=admit,
        foresee=functools.partial(_foresee, here),
        budgets=BudgetContext(price_table(here), ledger, budgets(here), clock.since),
        windows=WindowGuard(ledger, settings.limits_pause_at_percent, time.time),
        words=words,
        check_answer=check_answer,
    )
    return App(parts, new_run_id)


def _counsel(here: Installation, history: RunHistory) -> PolicyContext:
    return PolicyContext(here.policy_files, history, here.policy_environment, time.time, here.policy_day)


def _pool_limits(settings: Settings, size: int) -> PoolLimits:
    return PoolLimits(
        size=size,
        idle_s=settings.pool_idle_s,
        memory_bytes=settings.pool_max_memory_mb * 1_000_000,
        runs_per_process=settings.pool_runs_per_process,
    )


def _session_limits(settings: Settings) -> SessionLimits:
    return SessionLimits(
        max_age_s=settings.session_max_age_s,
        max_messages=settings.session_max_messages,
        max_bytes=settings.session_max_bytes,
    )


def _patience(settings: Settings) -> Timeouts:
    return Timeouts(
        start=settings.watchdog_start_s,
        model=settings.watchdog_model_s,
        tool=settings.watchdog_tool_s,
        retry=settings.watchdog_retry_s,
        total=settings.run_timeout_s,
    )


async def check_answer(schema: dict[str, Any], value: object) -> list[str]:
    """The errors of ``value`` under ``schema``, as ``schemas.schema_errors``, found without holding up the event loop.

    Raises ``OneseatError`` ``incomplete.schema_unchecked`` where that cannot be found out in time.
    """
    if schemas.is_quick(schema, value):
        return schemas.schema_errors(schema, value)
    try:
        answer = await workers.call(
            f"{schemas.__name__}:encoded_errors", msgspec.json.encode([schema, value]), _CHECK_S
        )
        return msgspec.json.decode(answer, type=list[str])
    except TimeoutError:
        raise OneseatError(schemas.unchecked(f"it takes longer than {_CHECK_S:g} s")) from None
    except (workers.WorkerError, msgspec.MsgspecError, RecursionError) as error:
        raise OneseatError(schemas.unchecked(str(error))) from None
