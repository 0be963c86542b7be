"""How full the plan's usage windows and the owner's budgets are: from the ledger, or asked of the official CLIs."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from oneseat.contract.budgets import NO_BUDGET, Budget, Since, Spent
from oneseat.contract.errors import ErrorInfo, OneseatError, UsageError
from oneseat.contract.history import SeenLimit
from oneseat.contract.providers import SEATS
from oneseat.contract.reports.limits import (
    BudgetReport,
    ExtraUsage,
    LimitForecast,
    LimitsReport,
    SeatLimits,
    TokenEstimate,
    WindowReport,
)
from oneseat.contract.request import Request
from oneseat.contract.stations import Permitted, Refused
from oneseat.host.clock import SystemClock
from oneseat.installation import Installation, new_run_id
from oneseat.rules.billing import gate as billing
from oneseat.rules.budgets import allocation as bounds
from oneseat.rules.limits import windows as rules
from oneseat.rules.policy import decide as policy
from oneseat.rules.policy.inputs import expires_soon
from oneseat.rules.usage.sums import Filter
from oneseat.stores.ledger.reader import LedgerReader

from .prices import shared_bounds
from .providers import build_codex, build_provider
from .runs import ledger_writer
from .usage import read_usage

if TYPE_CHECKING:
    from oneseat.providers.claude_cli.provider import ClaudeCliProvider
    from oneseat.providers.codex_cli.provider import CodexCliProvider

__all__ = ["ask_codex_limits", "ask_limits", "estimate_tokens", "read_limits"]

#: How long a CLI may take to name its windows, in seconds. It answers in under one; when it cannot reach the network it has been
#: seen to take 20.
_LIMIT_S = 45.0


def read_limits(
    here: Installation, now: float | None = None, *, estimate: TokenEstimate | None = None
) -> LimitsReport:
    """What the ledger knows, beside an ``estimate`` of what it does not. Starts no process and sends nothing.

    ``now`` is in seconds since 1970. Raises ``UsageError`` for settings or a ledger that cannot be read.
    """
    now = time.time() if now is None else now
    # Ignore project settings: they apply only inside that directory.
    owner = here.outside_projects()
    simulated = owner.settings.simulator_url is not None
    seats: list[SeatLimits] = []
    with LedgerReader(owner.paths.runs_db) as ledger:
        # The first seat is always shown, another one when it has reported something.
        for provider in SEATS:
            seen = ledger.limits(provider, now, simulated=simulated)
            if seen or not seats:
                seats.append(_seat(provider, seen, now, simulated=simulated))
        budgets = _budgets(ledger, shared_bounds(owner), now, simulated=simulated)
    return LimitsReport(
        read_at=_utc(now),
        pause_at_percent=owner.settings.limits_pause_at_percent,
        seats=tuple(seats),
        budgets=tuple(budgets),
        estimate=estimate,
        not_read=ledger.not_read,
        policy_expires=_policy_expires(owner),
    )


def _policy_expires(here: Installation) -> str | None:
    try:
        pack = here.policy_files.read().pack
    except UsageError:
        return None  # every run says so
    return expires_soon(pack, here.policy_day(pack))


def estimate_tokens(here: Installation, now: float | None = None) -> TokenEstimate | None:
    """The tokens counted in transcripts in the current five hours; ``None`` where a report says how full they are.

    Raises ``UsageError`` like ``read_limits`` and ``read_usage``.
    """
    now = time.time() if now is None else now
    seat, *_ = read_limits(here, now).seats
    if seat.windows[0].share is not None:
        return None
    simulated = Filter(wallet="simulator" if seat.wallet == "simulator" else None)
    for block in reversed(read_usage(here, "blocks", simulated).blocks):
        if block.begin <= now * 1000 < block.end:
            return TokenEstimate(
                tokens=sum(block.sum.tokens),
                begins_at=_utc(block.begin / 1000),
                ends_at=_utc(block.end / 1000),
            )
    return None


def _seat(provider: str, seen: Sequence[SeenLimit], now: float, *, simulated: bool) -> SeatLimits:
    overage = rules.in_overage(seen, now)
    return SeatLimits(
        provider=provider,
        wallet="simulator" if simulated else "plan",
        windows=tuple(_window(each, now) for each in rules.windows(seen, now)),
        extra_usage=None if overage is None else ExtraUsage(in_use=overage[0], read_at=_utc(overage[1])),
    )


def _window(window: rules.Window, now: float) -> WindowReport:
    found, resets_at = window.forecast, window.resets_at
    forecast = LimitForecast(
        why=found.why,
        full_at=_utc_or_none(found.full_at),
        before_reset_s=None
        if found.full_at is None or resets_at is None
        else round(resets_at - found.full_at),
        readings=found.readings,
        span_s=round(found.span_s),
    )
    return WindowReport(
        window=window.name,
        used=window.used,
        used_read_at=_utc_or_none(window.used_at),
        status=window.status,
        read_at=_utc_or_none(window.read_at),
        age_s=None if window.read_at is None else round(now - window.read_at),
        source=window.source,
        resets_at=_utc_or_none(resets_at),
        resets_in_s=None if resets_at is None else round(resets_at - now),
        used_before_reset=window.before,
        forecast=forecast,
    )


def _budgets(
    ledger: LedgerReader, bounds: tuple[Budget, ...], now: float, *, simulated: bool
) -> list[BudgetReport]:
    year, month, day = time.localtime(now)[:3]
    # Not 24 hours later: on the day the clocks change, that is another time.
    ends = {"day": _midnight(year, month, day + 1), "month": _midnight(year, month + 1, 1)}
    since = Since(_iso(_midnight(year, month, day)), _iso(_midnight(year, month, 1)), _iso(ends["day"]))
    found = ledger.spent(bounds, "simulator" if simulated else "plan", since)
    return [_budget(each, ends[each.bound.period]) for each in found]


def _budget(spent: Spent, resets_at: float) -> BudgetReport:
    return BudgetReport(
        scope=spent.bound.scope,
        name=spent.bound.name,
        period=spent.bound.period,
        limit_usd=spent.bound.usd,
        used_usd=spent.usd,
        held_usd=spent.held_usd,
        used=round(spent.usd / spent.bound.usd, 6),
        resets_at=_utc(resets_at),
    )


def _midnight(year: int, month: int, day: int) -> float:
    return time.mktime((year, month, day, 0, 0, 0, 0, 0, -1))


def _iso(moment: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(moment))


def _utc(moment: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(moment))


def _utc_or_none(moment: float | None) -> str | None:
    return None if moment is None else _utc(moment)


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
