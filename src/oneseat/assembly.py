"""Settings to app: the only module that imports providers, stores and this machine."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from oneseat.contract.errors import ErrorInfo, OneseatError, UsageError
from oneseat.contract.history import RunFilter, RunSummary, StoredEvent, StoredRun
from oneseat.contract.keys import ApiKey
from oneseat.contract.pack import Pack
from oneseat.contract.pool import PoolLimits
from oneseat.contract.ports import Observer, RunHistory
from oneseat.contract.receipt import LimitReading
from oneseat.contract.request import McpServer
from oneseat.contract.routes import RouteTable
from oneseat.contract.session import Session
from oneseat.engine.conversation import Books
from oneseat.engine.counsel import Counsel
from oneseat.engine.parts import Parts
from oneseat.engine.room import Room
from oneseat.engine.runs import App
from oneseat.engine.spending import Purse
from oneseat.engine.watchdog import Patience
from oneseat.host.child_environment import depth_of
from oneseat.host.clock import SystemClock
from oneseat.host.files import MAX_INPUT_BYTES, decode_attachment, decode_text, read_attachment, read_text
from oneseat.host.lanes import FileLanes, clear_places
from oneseat.host.locks import ProjectLocks
from oneseat.host.paths import Paths
from oneseat.host.private_socket import Door
from oneseat.host.process_tree import await_end, end_leftover, is_alive, is_root, start_time
from oneseat.host.programs import find_program
from oneseat.host.runners import rented_runner
from oneseat.host.server_lock import server_lock
from oneseat.host.settings_file import keep_copy, read_settings_text, write_settings_text
from oneseat.observers.audience import Audience
from oneseat.observers.json_lines import logging_to
from oneseat.observers.log import LogObserver
from oneseat.observers.records import Records, somebody_listens
from oneseat.pricing import budgets_in, price_table
from oneseat.providers.claude_cli.discovery import find_executable
from oneseat.providers.claude_cli.provider import ClaudeCliProvider
from oneseat.registry import KeyProviders, Registry, build_codex, build_provider, kept_processes
from oneseat.rules.policy import PolicyView
from oneseat.rules.policy_inputs import Around
from oneseat.rules.redaction import Redactor, redact, secret_values
from oneseat.rules.retry import RetryLimits
from oneseat.rules.route_table import table_of
from oneseat.rules.sessions import Nesting, SessionLimits
from oneseat.settings import (
    FILE_NAME,
    KEYS,
    PROJECTS,
    ROLES,
    Project,
    Settings,
    home_from,
    load,
    read_named,
)
from oneseat.stores.ledger.async_ledger import AsyncLedger
from oneseat.stores.ledger.reader import LedgerReader
from oneseat.stores.ledger.writer import LedgerWriter, ProcessStamp
from oneseat.stores.policy.pack import PolicyFiles

if TYPE_CHECKING:
    from oneseat.host.key_store import KeyStore

__all__ = [
    "MAX_INPUT_BYTES",
    "Door",
    "LedgerReader",
    "Project",
    "RunFilter",
    "RunSummary",
    "Session",
    "StoredEvent",
    "StoredRun",
    "SystemClock",
    "await_end",
    "build_app",
    "build_codex",
    "build_provider",
    "copy_settings",
    "decode_attachment",
    "decode_text",
    "end_sessions",
    "find_cli",
    "find_paths",
    "is_root",
    "keep_limits",
    "key_store",
    "mcp_servers",
    "new_run_id",
    "opened_app",
    "policy_view",
    "read_attachment",
    "read_keys",
    "read_ledger",
    "read_projects",
    "read_routes",
    "read_settings",
    "read_text",
    "redactor",
    "serve_folder",
    "server_lock",
    "settings_text",
    "write_settings",
]


def new_run_id() -> str:
    """A new run id: 12 hexadecimal digits, short enough to type."""
    return secrets.token_hex(6)


def find_paths(env: Mapping[str, str]) -> Paths:
    """The folders oneseat uses under this environment."""
    return Paths.find(home_from(env))


def serve_folder(env: Mapping[str, str]) -> str:
    """The folder in which a running server is found."""
    return str(find_paths(env).serve_dir)


def read_settings(env: Mapping[str, str], cwd: Path, paths: Paths) -> Settings:
    """The settings in force in ``cwd``. Raises ``UsageError`` for anything wrong in them."""
    return load(env, cwd, paths.config_dir)


@contextlib.asynccontextmanager
async def opened_app(
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    *,
    observers: Sequence[Observer] = (),
    as_command: bool = False,
    warm: int = 0,
    admit: Callable[[str], Awaitable[None]] | None = None,
) -> AsyncIterator[App]:
    """An app on this machine's ledger; closes the ledger on leaving. ``env`` is a snapshot, the real one by default.

    ``observers`` look on at its runs. With ``as_command`` the orphans of its runs are taken in and ended, the log goes where
    the settings say, and traces where the variable OTEL_TRACES_EXPORTER says; else they go where the program sends them.
    ``warm`` is how many processes of the CLI are kept ready for runs to come; ``admit`` is asked before each run,
    with its provider. Raises ``UsageError`` when the settings or the ledger cannot be used.
    """
    snapshot = dict(os.environ if env is None else env)
    paths = find_paths(snapshot)
    settings = read_settings(snapshot, cwd or Path.cwd(), paths)
    paths.ensure()
    with _in_command(settings) if as_command else contextlib.nullcontext():
        known = redactor(snapshot)
        # A variable may be called anything: that its value is a key, the settings say.
        known.learn(*(snapshot.get(key.env or "", "").strip() for key in read_keys(snapshot).values()))
        redact = known.redact
        records = Records(redact)
        audience = Audience(
            [*observers, *_own_observers(settings, snapshot, records, redact, as_command=as_command)], records
        )
        async with _opened_ledger(paths, settings, redact) as ledger:
            provider = build_provider(settings, snapshot, paths, redact)
            async with _warm(provider, _pool_limits(settings, warm)):
                yield build_app(settings, snapshot, ledger, audience, provider, admit or _anything, known)


@contextlib.contextmanager
def _in_command(settings: Settings) -> Iterator[None]:
    """What only a program of oneseat's own may do to itself: log, and take in what its runs lose."""
    from oneseat.host import orphans  # noqa: PLC0415 - it loads ctypes, 2.5 ms that only a command has a use for

    orphans.adopt_orphans()
    try:
        with _logging(settings):
            yield
    finally:
        orphans.end_adopted()


def _warm(provider: ClaudeCliProvider, limits: PoolLimits) -> contextlib.AbstractAsyncContextManager[None]:
    return provider.warm(limits) if limits.size else contextlib.nullcontext()


def redactor(env: Mapping[str, str]) -> Redactor:
    """What takes credentials out of a text, those of this environment too. It can learn further ones."""
    return Redactor(secret_values(env))


def _logging(settings: Settings) -> contextlib.AbstractContextManager[None]:
    if settings.log_level is None and settings.log_file is None:
        return contextlib.nullcontext()
    return logging_to(settings.log_level or "info", settings.log_file)


def _own_observers(
    settings: Settings,
    env: Mapping[str, str],
    records: Records,
    redact: Callable[[str], str],
    *,
    as_command: bool,
) -> Iterator[Observer]:
    if somebody_listens():
        yield LogObserver(records)
    if settings.telemetry_otel:
        yield _otel(env, redact, as_command=as_command)


def _otel(env: Mapping[str, str], redact: Callable[[str], str], *, as_command: bool) -> Observer:
    try:
        from oneseat.observers.otel import OtelObserver  # noqa: PLC0415 - an extra, which most do without
        from oneseat.observers.otel_export import provider_as_set  # noqa: PLC0415 - as above
    except ImportError:
        raise UsageError(
            ErrorInfo(
                code="usage.otel",
                message="OpenTelemetry is not installed: `telemetry.otel = true`",
                hint="Install it: `pip install 'oneseat[otel]'`",
            )
        ) from None
    return OtelObserver(redact, provider_as_set(env) if as_command else None)


@contextlib.asynccontextmanager
async def _opened_ledger(
    paths: Paths, settings: Settings, redact: Callable[[str], str]
) -> AsyncIterator[AsyncLedger]:
    """The ledger of this machine, after closing the books of runs whose oneseat was killed."""
    ledger = AsyncLedger(_writer(paths.runs_db, redact, keep_text=settings.ledger_keep_text))
    try:
        for run_id in await ledger.sweep(is_alive, _clearing(paths)):
            _say_swept(run_id)
        await asyncio.to_thread(kept_processes(paths).sweep)
        yield ledger
    finally:
        await ledger.close()


def read_projects(env: Mapping[str, str]) -> dict[str, Project]:
    """The owner's projects by name. Raises ``UsageError`` for anything wrong in the owner's settings file."""
    return read_named(PROJECTS, find_paths(env).config_dir)


async def end_sessions(project: str, env: Mapping[str, str] | None = None) -> list[Session]:
    """End the conversations of a project and return them. Raises ``UsageError`` when the ledger cannot be used."""
    snapshot = dict(os.environ if env is None else env)
    paths = find_paths(snapshot)
    paths.ensure()
    settings = read_settings(snapshot, Path.cwd(), paths)
    async with _opened_ledger(paths, settings, redactor(snapshot).redact) as ledger:
        return await ledger.end_sessions(project)


def _say_swept(run_id: str) -> None:
    Records(redact).say(
        logging.WARNING,
        "swept",
        f"Run {run_id} was left by a oneseat that was killed; it is cleared away",
        run_id=run_id,
    )


def mcp_servers(config: object, source: str, env: Mapping[str, str]) -> tuple[McpServer, ...]:
    """The MCP servers of a configuration. Raises ``UsageError`` ``usage.bad_mcp_config``."""
    from oneseat.rules.mcp_config import servers_of  # noqa: PLC0415 - most runs have no server

    return servers_of(config, source, env, find_program)


def read_keys(env: Mapping[str, str]) -> dict[str, ApiKey]:
    """The owner's API keys by name: where each is, and what for. Raises ``UsageError`` for anything wrong in the settings."""
    return read_named(KEYS, find_paths(env).config_dir)


def settings_text(env: Mapping[str, str]) -> str:
    """The owner's settings file as it is; empty without one. Raises ``UsageError`` when it cannot be read."""
    return read_settings_text(find_paths(env).config_dir / FILE_NAME)


def write_settings(env: Mapping[str, str], text: str) -> None:
    """Put ``text`` in place of the owner's settings file. Raises ``UsageError`` when it cannot be written."""
    paths = find_paths(env)
    paths.ensure()
    write_settings_text(paths.config_dir / FILE_NAME, text)


def copy_settings(env: Mapping[str, str], ending: str) -> Path:
    """Copy the owner's settings file beside itself. Raises ``UsageError`` when that cannot be done."""
    return keep_copy(find_paths(env).config_dir / FILE_NAME, ending)


def read_routes(settings: Settings, paths: Paths) -> RouteTable:
    """Who may serve the owner's runs, in which order. Raises ``UsageError`` for anything wrong in the owner's settings file."""
    keys, roles = read_named(KEYS, paths.config_dir), read_named(ROLES, paths.config_dir)
    return table_of(settings.seat_provider, settings.fallback_to, keys, roles.values())


def key_store(
    env: Mapping[str, str], redactor: Redactor, keys: Mapping[str, ApiKey] | None = None
) -> KeyStore:
    """Where API keys are read; ``redactor`` knows each from then on. ``keys`` are those that may be asked for, all by default."""
    from oneseat.host.key_store import KeyStore  # noqa: PLC0415 - a run on a plan asks for no key
    from oneseat.host.os_keyring import OsKeyring  # noqa: PLC0415 - as above

    # Another home is another owner as far as oneseat knows: a test must not replace the real key of the same name.
    home = find_paths(env).home
    keyring = OsKeyring("oneseat" if home is None else f"oneseat:{home}")
    return KeyStore(read_keys(env) if keys is None else keys, env, keyring, _refuse_bad_key, redactor.learn)


def _on_keys(settings: Settings, env: Mapping[str, str], known: Redactor) -> KeyProviders:
    def source(key: ApiKey) -> KeyStore:
        return key_store(env, known, {key.name: key})

    return KeyProviders(partial(read_keys, env), source, settings.simulator_url, known.redact)


def _refuse_bad_key(key: ApiKey, value: str) -> None:
    from oneseat.rules import api_keys  # noqa: PLC0415 - a run on a plan asks for no key

    fault = api_keys.fault(key, value)
    if fault is not None:
        raise OneseatError(fault)


def _writer(path: Path, redact: Callable[[str], str], *, keep_text: bool = True) -> LedgerWriter:
    pid = os.getpid()
    owner = ProcessStamp(pid, start_time(pid))
    return LedgerWriter(path, redact=redact, clock=SystemClock(), owner=owner, keep_text=keep_text)


def find_cli(env: Mapping[str, str], cwd: Path | None = None) -> str:
    """The official CLI that runs would use. Raises ``OneseatError`` ``provider.not_found`` when there is none."""
    settings = read_settings(env, cwd or Path.cwd(), find_paths(env))
    return find_executable(settings.claude_path, env.get("PATH"))


def read_ledger(env: Mapping[str, str] | None = None) -> LedgerReader:
    """The runs recorded on this machine, for reading. Raises ``UsageError`` when the folders cannot be used."""
    paths = find_paths(os.environ if env is None else env)
    path = paths.runs_db
    if path.exists():
        # A run whose oneseat was killed would be shown as going on. Where the books cannot be closed because the ledger
        # can only be read, reading is still worth it; what else may be wrong with it, the reader says.
        with contextlib.suppress(UsageError), contextlib.closing(_writer(path, redact)) as writer:
            for run_id in writer.sweep(is_alive, _clearing(paths)):
                _say_swept(run_id)
    return LedgerReader(path)


def keep_limits(
    env: Mapping[str, str], provider: str, found: Sequence[LimitReading], *, simulated: bool
) -> None:
    """Record what a provider said of its windows outside of any run. Raises ``UsageError`` when the ledger cannot be written."""
    paths = find_paths(env)
    paths.ensure()
    with contextlib.closing(_writer(paths.runs_db, redactor(env).redact)) as writer:
        writer.note_limits(provider, found, simulated=simulated)


async def _anything(provider: str) -> None:
    """Admit whatever is installed."""


def _locks(paths: Paths) -> Path:
    return paths.state_dir / "locks"


def _clearing(paths: Paths) -> Callable[[str], None]:
    """What takes away what a dead run left: processes, a private folder, files of places that it held."""

    def clear(run_id: str) -> None:
        end_leftover(run_id)
        clear_places(_locks(paths))

    return clear


def build_app(
    settings: Settings,
    env: Mapping[str, str],
    ledger: AsyncLedger,
    audience: Audience,
    provider: ClaudeCliProvider,
    admit: Callable[[str], Awaitable[None]],
    known: Redactor,
) -> App:
    """Wire one app together. ``known`` learns every key that is read."""
    depth, paths = depth_of(env), find_paths(env)
    locks = _locks(paths)
    clock = SystemClock()
    providers = Registry(
        provider,
        partial(build_codex, settings, env, paths, known.redact),
        _on_keys(settings, env, known),
    )
    parts = Parts(
        provider=provider,
        providers=providers,
        routes=read_routes(settings, paths),
        outcomes=ledger,
        ledger=ledger,
        clock=clock,
        counsel=counsel(settings, env, ledger),
        patience=_patience(settings),
        books=Books(ledger, ProjectLocks(locks), _session_limits(settings)),
        lanes=FileLanes(
            locks,
            at_once=settings.run_max_parallel,
            depth=depth,
            expires_at=providers.login_expires_at,
            now=time.time,
        ),
        nesting=Nesting(depth, settings.run_max_depth),
        retry=RetryLimits(max_attempts=settings.retry_max_attempts, max_wait_s=settings.retry_max_wait_s),
        chance=secrets.SystemRandom().random,
        audience=audience,
        admit=admit,
        purse=Purse(
            price_table(paths.config_dir),
            ledger,
            budgets_in(paths.config_dir, settings),
            clock.since,
        ),
        room=Room(ledger, settings.limits_pause_at_percent, time.time),
    )
    return App(parts, new_run_id)


def counsel(settings: Settings, env: Mapping[str, str], history: RunHistory) -> Counsel:
    """Where the policy looks, under these settings."""
    laws = PolicyFiles(find_paths(env).config_dir)
    return Counsel(laws, history, _around(settings, env), time.time, partial(policy_day, settings))


def policy_view(settings: Settings, env: Mapping[str, str]) -> PolicyView:
    """The policy for somebody who has no ledger at hand. Raises ``UsageError`` ``usage.bad_policy_pack``."""
    book = PolicyFiles(find_paths(env).config_dir).read()
    return PolicyView(
        pack=book.pack,
        day=policy_day(settings, book.pack),
        confirmations=book.word.confirmations,
        around=_around(settings, env),
    )


def policy_day(settings: Settings, pack: Pack) -> str:
    """The day that rules and facts are asked for, ISO 8601 UTC.

    A simulated run plays the day the rules were written on, so that a test passes next year as well, or the one it is told.
    """
    if settings.simulator_url is not None:
        return settings.simulator_date or pack.meta.as_of
    return SystemClock().utc_iso()[:10]


def _around(settings: Settings, env: Mapping[str, str]) -> Around:
    # Of a simulated run nothing leaves this machine: tests of one's scripts run on rented ones as well.
    rented = settings.simulator_url is None and rented_runner(env) is not None
    host = settings.policy_host or ("rented_runner" if rented else "owner_machine")
    return Around(humans=settings.policy_humans, host=host, plan=settings.policy_plan)


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


def _patience(settings: Settings) -> Patience:
    return Patience(
        start=settings.watchdog_start_s,
        model=settings.watchdog_model_s,
        tool=settings.watchdog_tool_s,
        retry=settings.watchdog_retry_s,
        total=settings.run_timeout_s,
    )
