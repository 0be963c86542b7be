"""The providers of an app, made from its settings when they are first asked for."""

from __future__ import annotations

import asyncio
import functools
import time
from collections.abc import Callable
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from oneseat.contract.errors import ErrorInfo, UsageError
from oneseat.contract.ports import Provider
from oneseat.contract.routing import Candidate
from oneseat.contract.simulated import SIMULATOR_KEY, SIMULATOR_TOKEN, Simulator
from oneseat.installation import Installation
from oneseat.providers.claude_cli.discovery import find_executable
from oneseat.providers.claude_cli.environment import McpPatience
from oneseat.providers.claude_cli.launcher import ClaudeCliConfig
from oneseat.providers.claude_cli.provider import ClaudeCliProvider

from .runs import live_processes

if TYPE_CHECKING:
    from oneseat.providers.codex_cli.provider import CodexCliProvider

__all__ = [
    "KeyProviders",
    "ProviderRegistry",
    "build_codex",
    "build_provider",
    "find_cli",
    "unreachable_simulator",
]

#: The name of the second seat, whose package is loaded when it is first asked for.
_CODEX = "codex-cli"
#: How long a simulator on this machine may take to accept a connection, in seconds.
_SIMULATOR_S = 0.8


class ProviderRegistry:
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
    """The providers that the owner's API keys pay. With a simulator, every run goes there, and no real key does."""

    def __init__(self, here: Installation) -> None:
        self._here = here
        self._made: dict[str, Provider] = {}

    def of(self, provider: str, name: str) -> Provider:
        """The provider of a key. Raises ``UsageError``: ``usage.unknown_key``, ``usage.unknown_provider``, ``usage.sdk``."""
        if name not in self._made:
            self._made[name] = self._make(provider, name)
        return self._made[name]

    def _make(self, provider: str, name: str) -> Provider:
        from oneseat.host.keys.store import unknown_key  # noqa: PLC0415 - a run on the seat has no use for it
        from oneseat.providers.api.account import ApiAccount  # noqa: PLC0415 - as above
        from oneseat.providers.api.catalogue import APIS  # noqa: PLC0415 - as above
        from oneseat.providers.api.provider import ApiProvider  # noqa: PLC0415 - as above

        from .keys import key_store  # noqa: PLC0415 - as above

        key, simulator = self._here.keys.get(name), self._here.settings.simulator_url
        if key is None:
            raise unknown_key(name)
        if provider not in APIS or key.provider != provider:
            raise _unknown(provider)
        account = ApiAccount(
            key=name,
            place=key.place,
            base_url=key.base_url,
            simulator=simulator,
        )
        read = (
            (lambda: SIMULATOR_KEY)
            if simulator is not None
            else functools.partial(key_store(self._here, {name: key}).get, name)
        )
        return ApiProvider(APIS[provider], account, read, self._here.redactor.redact)


def _unknown(provider: str) -> UsageError:
    return UsageError(ErrorInfo(code="usage.unknown_provider", message=f"No such provider: `{provider}`"))


async def unreachable_simulator(here: Installation) -> ErrorInfo | None:
    """The error of a simulator that the settings name and that accepts no connection; ``None`` when it does, or there is none.

    Without this, the official CLI would repeat the request for half a minute before it gives up.
    """
    url = here.settings.simulator_url
    if url is None:
        return None
    address = urlsplit(url)
    try:
        async with asyncio.timeout(_SIMULATOR_S):
            _, writer = await asyncio.open_connection(address.hostname, address.port or 80)
    except OSError as error:  # a TimeoutError is one too
        return ErrorInfo(
            code="provider.unreachable",
            message=f"No simulator answers at `{url}`\n  {(error.strerror or 'no answer').lower()}",
            hint="Start one: `oneseat simulator`; for real runs: `unset ONESEAT_SIMULATOR_URL`",
        )
    writer.close()
    return None


def find_cli(here: Installation) -> str:
    """The official CLI that runs would use. Raises ``OneseatError`` ``provider.not_found`` when there is none."""
    return find_executable(here.settings.claude_path, here.env.get("PATH"))


def build_provider(here: Installation, *, asks_usage: bool = False) -> ClaudeCliProvider:
    """The official CLI as the settings describe it. With ``asks_usage`` it may ask its vendor how full the windows are."""
    settings = here.settings
    config = ClaudeCliConfig(
        environ=here.env,
        executable=settings.claude_path,
        default_model=settings.claude_model,
        pass_environment=settings.claude_pass_environment,
        max_retries=settings.claude_max_retries,
        after_result_s=settings.watchdog_after_result_s,
        mcp=McpPatience(settings.mcp_start_s, settings.mcp_tool_s),
        simulator=_simulator(here, "simulator"),
        asks_usage=asks_usage,
    )
    return ClaudeCliProvider(config, now=time.time, redact=here.redactor.redact, kept=live_processes(here))


def build_codex(here: Installation) -> CodexCliProvider:
    """The official `codex` CLI as the settings describe it."""
    from oneseat.providers.codex_cli import launcher, provider  # noqa: PLC0415 - most runs have no use for it

    settings = here.settings
    config = launcher.CodexCliConfig(
        environ=here.env,
        threads=str(here.paths.state_dir / "codex-threads"),
        executable=settings.codex_path,
        default_model=settings.codex_model,
        pass_environment=settings.codex_pass_environment,
        after_result_s=settings.watchdog_after_result_s,
        mcp_start_s=settings.mcp_start_s,
        mcp_tool_s=settings.mcp_tool_s,
        simulator=_simulator(here, "simulator/codex"),
    )
    return provider.CodexCliProvider(
        config, now=time.time, redact=here.redactor.redact, kept=live_processes(here)
    )


def _simulator(here: Installation, folder: str) -> Simulator | None:
    settings = here.settings
    if settings.simulator_url is None:
        return None
    return Simulator(
        settings.simulator_url, settings.simulator_login, SIMULATOR_TOKEN, str(here.paths.state_dir / folder)
    )
