"""Settings to app: the only module that imports providers, stores and this machine."""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from oneseat.contract.simulated import SIMULATOR_TOKEN
from oneseat.engine.runs import App
from oneseat.engine.spine import Parts
from oneseat.engine.watchdog import Patience
from oneseat.host.clock import SystemClock
from oneseat.host.paths import Paths
from oneseat.host.process_tree import end_leftover, is_alive, start_time
from oneseat.providers.claude_cli.provider import ClaudeCliConfig, ClaudeCliProvider, Simulator
from oneseat.rules.policy import PolicyView
from oneseat.rules.redaction import redact
from oneseat.settings import Settings, home_from, load
from oneseat.stores.sqlite_ledger import SqliteLedger


def new_run_id() -> str:
    """A new run id: 12 hexadecimal digits, short enough to type."""
    return secrets.token_hex(6)


def find_paths(env: Mapping[str, str]) -> Paths:
    """The folders oneseat uses under this environment."""
    return Paths.find(home_from(env))


def read_settings(env: Mapping[str, str], cwd: Path, paths: Paths) -> Settings:
    """The settings in force in ``cwd``. Raises ``UsageError`` for anything wrong in them."""
    return load(env, cwd, paths.config)


@contextmanager
def opened_app(env: Mapping[str, str] | None = None, cwd: Path | None = None) -> Iterator[App]:
    """An app on this machine's ledger; closes the ledger on leaving. ``env`` is a snapshot, the real one by default."""
    snapshot = dict(os.environ if env is None else env)
    paths = find_paths(snapshot)
    settings = read_settings(snapshot, cwd or Path.cwd(), paths)
    paths.ensure()
    with open_ledger(paths, settings) as ledger:
        yield build_app(settings, snapshot, ledger)


@contextmanager
def open_ledger(paths: Paths, settings: Settings) -> Iterator[SqliteLedger]:
    """The ledger of this machine, after closing the books of runs whose oneseat was killed."""
    pid = os.getpid()
    ledger = SqliteLedger(
        paths.runs_db, redact=redact, keep_text=settings.ledger_keep_text, owner=(pid, start_time(pid))
    )
    try:
        for run_id in ledger.sweep(is_alive):
            end_leftover(run_id)
        yield ledger
    finally:
        ledger.close()


def build_app(settings: Settings, env: Mapping[str, str], ledger: SqliteLedger) -> App:
    """Wire one app together."""
    parts = Parts(
        provider=build_provider(settings, env),
        ledger=ledger,
        clock=SystemClock(),
        policy=PolicyView(),
        patience=_patience(settings),
        redact=redact,
    )
    return App(parts, new_run_id)


def build_provider(settings: Settings, env: Mapping[str, str]) -> ClaudeCliProvider:
    """The official CLI as these settings describe it."""
    simulator = None
    if settings.simulator_url is not None:
        simulator = Simulator(settings.simulator_url, settings.simulator_login, SIMULATOR_TOKEN)
    config = ClaudeCliConfig(
        environ=env,
        executable=settings.claude_path,
        default_model=settings.claude_model,
        pass_environment=settings.claude_pass_environment,
        max_retries=settings.claude_max_retries,
        after_result_s=settings.watchdog_after_result_s,
        simulator=simulator,
    )
    return ClaudeCliProvider(config, now=time.time, redact=redact)


def _patience(settings: Settings) -> Patience:
    return Patience(
        start=settings.watchdog_start_s,
        model=settings.watchdog_model_s,
        tool=settings.watchdog_tool_s,
        retry=settings.watchdog_retry_s,
        total=settings.run_timeout_s,
    )
