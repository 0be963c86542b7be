"""The providers of an app, made of its settings when they are first asked for: only here adapters to assistants are chosen."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from oneseat.contract.errors import ErrorInfo, UsageError
from oneseat.contract.keys import ApiKey
from oneseat.contract.ports import KeySource, Provider
from oneseat.contract.routing import Candidate
from oneseat.contract.simulated import SIMULATOR_KEY, SIMULATOR_TOKEN, Simulator
from oneseat.host.paths import Paths
from oneseat.host.processes.registry import ProcessRegistry
from oneseat.providers.claude_cli.environment import McpPatience
from oneseat.providers.claude_cli.launcher import ClaudeCliConfig
from oneseat.providers.claude_cli.provider import ClaudeCliProvider
from oneseat.settings import Settings

if TYPE_CHECKING:
    from oneseat.providers.codex_cli.provider import CodexCliProvider

#: The name of the second seat, whose package is loaded when it is first asked for.
_CODEX = "codex-cli"


class Registry:
    """The providers of one app.

    ``seat`` is that of the official CLI, which is always there; ``codex`` makes the second seat, ``on_keys`` all that keys pay.
    """

    def __init__(
        self, seat: ClaudeCliProvider, codex: Callable[[], CodexCliProvider], on_keys: KeyProviders
    ) -> None:
        self._seat = seat
        self._codex = functools.cache(codex)
        self._on_keys = on_keys

    def of(self, candidate: Candidate) -> Provider:
        """The provider of a candidate. Raises ``OneseatError`` when this machine or the settings do not have it."""
        if candidate.provider == self._seat.name:
            return self._seat
        if candidate.provider == _CODEX:
            return self._codex()
        if candidate.key is not None:
            return self._on_keys.of(candidate.provider, candidate.key)
        raise _unknown(candidate.provider)

    def login_expires_at(self, provider: str, cwd: str) -> float | None:
        """Until when the login of a seat in ``cwd`` is good, in seconds since the epoch; ``None`` where that is not known."""
        return (self._codex() if provider == _CODEX else self._seat).login_expires_at(cwd)


class KeyProviders:
    """The providers that the owner's API keys pay.

    ``keys`` are the owner's, ``source`` gives one that reads a single key, and ``simulator`` is the address that all runs go to
    instead of the vendors; no real key goes there.
    """

    def __init__(
        self,
        keys: Callable[[], Mapping[str, ApiKey]],
        source: Callable[[ApiKey], KeySource],
        simulator: str | None,
        redact: Callable[[str], str],
    ) -> None:
        self._keys = keys
        self._source = source
        self._simulator = simulator
        self._redact = redact
        self._made: dict[str, Provider] = {}

    def of(self, provider: str, name: str) -> Provider:
        """The provider of a key. Raises ``UsageError``: ``usage.unknown_key``, ``usage.unknown_provider``, ``usage.sdk``."""
        if name not in self._made:
            self._made[name] = self._make(provider, name)
        return self._made[name]

    def _make(self, provider: str, name: str) -> Provider:
        from oneseat.host.keys.store import unknown_key  # noqa: PLC0415 - a run on the seat has no use for it
        from oneseat.providers.api.account import ApiAccount  # noqa: PLC0415 - as above
        from oneseat.providers.api.apis import APIS  # noqa: PLC0415 - as above
        from oneseat.providers.api.provider import ApiProvider  # noqa: PLC0415 - as above

        key = self._keys().get(name)
        if key is None:
            raise unknown_key(name)
        if provider not in APIS or key.provider != provider:
            raise _unknown(provider)
        account = ApiAccount(
            key=name,
            place=key.place,
            base_url=key.base_url,
            simulator=self._simulator,
        )
        read = (
            (lambda: SIMULATOR_KEY)
            if self._simulator is not None
            else functools.partial(self._source(key).get, name)
        )
        return ApiProvider(APIS[provider], account, read, self._redact)


def _unknown(provider: str) -> UsageError:
    return UsageError(
        ErrorInfo(code="usage.unknown_provider", message=f"There is no such provider: `{provider}`")
    )


def build_provider(
    settings: Settings,
    env: Mapping[str, str],
    paths: Paths,
    redact: Callable[[str], str],
    *,
    asks_usage: bool = False,
) -> ClaudeCliProvider:
    """The official CLI as these settings describe it. With ``asks_usage`` it may ask its vendor how full the windows are."""
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
        asks_usage=asks_usage,
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
        simulator = Simulator(settings.simulator_url, settings.simulator_login, SIMULATOR_TOKEN, folder)
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


def kept_processes(paths: Paths) -> ProcessRegistry:
    """Where processes are noted that outlive their runs, so that a later start finds what a killed oneseat left."""
    return ProcessRegistry(paths.state_dir / "kept")
