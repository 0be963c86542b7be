"""The providers of an app, made of its settings when they are first asked for: only here adapters to assistants are chosen."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from oneseat.contract.errors import ErrorInfo, UsageError
from oneseat.contract.ports import Provider
from oneseat.contract.routes import Candidate
from oneseat.contract.simulated import SIMULATOR_TOKEN
from oneseat.host.kept_processes import KeptProcesses
from oneseat.host.paths import Paths
from oneseat.providers.claude_cli.environment import McpPatience
from oneseat.providers.claude_cli.launcher import ClaudeCliConfig, Simulator
from oneseat.providers.claude_cli.provider import ClaudeCliProvider
from oneseat.settings import Settings

if TYPE_CHECKING:
    from oneseat.providers.codex_cli.provider import CodexCliProvider

#: The name of the second seat, whose package is loaded when it is first asked for.
_CODEX = "codex-cli"


class Registry:
    """The providers of one app. ``seat`` is that of the official CLI, which is always there; ``codex`` makes the second one."""

    def __init__(self, seat: ClaudeCliProvider, codex: Callable[[], Provider]) -> None:
        self._seat = seat
        self._codex = functools.cache(codex)

    def of(self, candidate: Candidate) -> Provider:
        """The provider of a candidate. Raises ``OneseatError`` when this machine or the settings do not have it."""
        if candidate.provider == self._seat.name:
            return self._seat
        if candidate.provider == _CODEX:
            return self._codex()
        raise UsageError(
            ErrorInfo(
                code="usage.unknown_provider", message=f"There is no such provider: `{candidate.provider}`"
            )
        )


def build_provider(
    settings: Settings, env: Mapping[str, str], paths: Paths, redact: Callable[[str], str]
) -> ClaudeCliProvider:
    """The official CLI as these settings describe it."""
    simulator = None
    if settings.simulator_url is not None:
        folder = str(paths.state_dir / "simulator")
        simulator = Simulator(settings.simulator_url, settings.simulator_login, SIMULATOR_TOKEN, folder)
    config = ClaudeCliConfig(
        environ=env,
        executable=settings.claude_path,
        default_model=settings.claude_model,
        pass_environment=settings.claude_pass_environment,
        max_retries=settings.claude_max_retries,
        after_result_s=settings.watchdog_after_result_s,
        mcp=McpPatience(settings.mcp_start_s, settings.mcp_tool_s),
        simulator=simulator,
    )
    return ClaudeCliProvider(config, now=time.time, redact=redact, kept=kept_processes(paths))


def build_codex(
    settings: Settings, env: Mapping[str, str], paths: Paths, redact: Callable[[str], str]
) -> CodexCliProvider:
    """The official `codex` CLI as these settings describe it."""
    from oneseat.providers.codex_cli import launcher, provider  # noqa: PLC0415 - most runs have no use for it

    simulator = None
    if settings.simulator_url is not None:
        folder = str(paths.state_dir / "simulator" / "codex")
        simulator = launcher.Simulator(
            settings.simulator_url, settings.simulator_login, SIMULATOR_TOKEN, folder
        )
    config = launcher.CodexCliConfig(
        environ=env,
        threads=str(paths.state_dir / "codex-threads"),
        executable=settings.codex_path,
        default_model=settings.codex_model,
        pass_environment=settings.codex_pass_environment,
        after_result_s=settings.watchdog_after_result_s,
        mcp_start_s=settings.mcp_start_s,
        mcp_tool_s=settings.mcp_tool_s,
        simulator=simulator,
    )
    return provider.CodexCliProvider(config, now=time.time, redact=redact, kept=kept_processes(paths))


def kept_processes(paths: Paths) -> KeptProcesses:
    """Where processes are noted that outlive their runs, so that a later start finds what a killed oneseat left."""
    return KeptProcesses(paths.state_dir / "kept")
