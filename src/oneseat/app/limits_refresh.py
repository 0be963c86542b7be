"""Ask the official CLIs how full the plans' windows are. Sends no prompt."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from oneseat.contract.budgets import NO_BUDGET
from oneseat.contract.errors import ErrorInfo, OneseatError
from oneseat.contract.request import Request
from oneseat.contract.stations import Permitted, Refused
from oneseat.host.clock import SystemClock
from oneseat.installation import Installation, new_run_id
from oneseat.rules.billing import gate as billing
from oneseat.rules.budgets import allocation as bounds
from oneseat.rules.policy import decide as policy

from .providers import build_codex, build_provider
from .runs import ledger_writer

if TYPE_CHECKING:
    from oneseat.providers.claude_cli.provider import ClaudeCliProvider
    from oneseat.providers.codex_cli.provider import CodexCliProvider

__all__ = ["ask_codex_limits", "ask_limits"]

#: The CLI answers in under a second; when it cannot reach the network it has been seen to take 20.
_LIMIT_S = 45.0


async def ask_limits(here: Installation) -> int:
    """Ask the CLI how full the plan's windows are, keep that in the ledger, and return how many it named. Sends no prompt.

    Raises ``OneseatError`` when the CLI does not answer or another wallet would pay, and ``UsageError`` for settings or a ledger
    that cannot be used.
    """
    return await _ask(here, build_provider(here, asks_usage=True))


async def ask_codex_limits(here: Installation) -> int:
    """The same of the official `codex` CLI. Raises ``OneseatError`` ``provider.not_found`` where it is not installed."""
    return await _ask(here, build_codex(here))


async def _ask(here: Installation, provider: ClaudeCliProvider | CodexCliProvider) -> int:
    permitted, limit_s = question(here), answer_within_s(here)
    try:
        async with provider.open(permitted, new_run_id()) as session, asyncio.timeout(limit_s):
            cleared = billing.clear(
                bounds.reserve(permitted, NO_BUDGET), await session.credential_facts(), provider.wallet
            )
            if isinstance(cleared, Refused) and cleared.error.code != "billing.credits_next":
                raise OneseatError(cleared.error)
            found = await session.limits(SystemClock().utc_iso())
    except TimeoutError:
        raise OneseatError(silent(limit_s)) from None
    if found:
        here.paths.ensure()
        with contextlib.closing(ledger_writer(here)) as writer:
            writer.note_limits(provider.name, found, simulated=provider.wallet == "simulator")
    return len(found)


def question(here: Installation) -> Permitted:
    """A request that is never sent. Raises ``OneseatError`` when the policy does not even allow that."""
    asked = Request(prompt="(none: only a question)", cwd=str(here.cwd))
    permitted = policy.decide(asked, here.policy_view)
    if isinstance(permitted, Refused):
        raise OneseatError(permitted.error)
    return permitted


def answer_within_s(here: Installation) -> float:
    """How long a CLI may take to say who would pay, in seconds."""
    return min(here.settings.watchdog_start_s, _LIMIT_S)


def silent(limit_s: float) -> ErrorInfo:
    """The error of a CLI that did not answer in time."""
    return ErrorInfo(
        code="provider.silent",
        message=f"The official CLI did not say who would pay within {limit_s:g} s",
        hint="Check the network, then run `oneseat doctor` again",
        whose_turn="provider",
    )
