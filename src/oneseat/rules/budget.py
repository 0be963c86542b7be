"""Budgets: what tokens cost at list price, what a run has used so far, and when it has to stop. Pure arithmetic.

An estimate errs on the dear side, as it decides when to stop; what the provider itself reports takes its place.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import msgspec

from oneseat.contract.budget import BudgetSource, Cap, DayLimits, DaySpent, Price, Rates
from oneseat.contract.errors import ErrorInfo
from oneseat.contract.events import (
    Event,
    Message,
    Progress,
    TextDelta,
    ThinkingDelta,
    ToolCall,
    TurnEnded,
    UsageSeen,
)
from oneseat.contract.receipt import TokenUsage
from oneseat.contract.request import Request

#: UTF-8 bytes to one token: prose has about four, code and tables three, Chinese and Japanese three to a character.
BYTES_PER_TOKEN = 3
#: What an image or a page costs at least; how many pages a PDF has is not looked at.
_PICTURE_TOKENS = 1600
#: A message that ends so is the whole answer: no further request follows it.
_WHOLE = frozenset({"end_turn", "stop_sequence", "refusal"})
_MILLION = 1_000_000
_WORDS: dict[BudgetSource, str] = {
    "run": "its budget",
    "day": "what was left of the day's budget",
    "project_day": "what was left of the day's budget of its project",
}


def cost(usage: TokenUsage, price: Price) -> float:
    """What tokens cost at list price, in US dollars. Tokens that are not known are not counted."""
    sent = (
        usage.input_tokens,
        usage.cache_read_tokens,
        usage.cache_write_5m_tokens,
        usage.cache_write_1h_tokens,
    )
    rates = _rates(price, sum(tokens or 0 for tokens in sent))
    each = (rates.input, rates.cache_read, rates.cache_write_5m, rates.cache_write_1h, rates.output)
    pairs = zip((*sent, usage.output_tokens), each, strict=True)
    return sum((tokens or 0) * rate for tokens, rate in pairs) / _MILLION


def _rates(price: Price, input_tokens: int) -> Rates:
    return next((tier.rates for tier in reversed(price.tiers) if input_tokens > tier.above), price.rates)


def tokens_in(size: int) -> int:
    """At most how many tokens so many bytes of text are."""
    return math.ceil(size / BYTES_PER_TOKEN)


def input_tokens(request: Request) -> int:
    """How many tokens a request sends, about; what the official CLI adds and what was said before are not in it."""
    text = [request.prompt, request.system or ""]
    size = sum(map(_size, text))
    pictures = 0
    for attached in request.attachments:
        if attached.media_type.startswith("image/") or attached.media_type == "application/pdf":
            pictures += 1
        else:
            size += len(attached.data)
    return tokens_in(size) + pictures * _PICTURE_TOKENS


def share(wanted: float | None, limits: DayLimits, spent: DaySpent) -> Cap | None:
    """What a run may cost that wants ``wanted`` US dollars, or all there is; ``None`` when nothing is left of a day."""
    caps = [Cap(wanted)] if wanted is not None else []
    if limits.project_usd is not None:
        caps.append(Cap(limits.project_usd - spent.project_usd, "project_day"))
    if limits.all_usd is not None:
        caps.append(Cap(limits.all_usd - spent.all_usd, "day"))
    least = min(caps, key=lambda cap: cap.usd)
    return least if least.usd > 0 else None


def over_before(request: Request, cap: Cap, price: Price) -> ErrorInfo | None:
    """Why a request must not be sent: what it sends costs more than the run may."""
    tokens = input_tokens(request)
    least = cost(TokenUsage(input_tokens=tokens), price)
    if least <= cap.usd:
        return None
    return ErrorInfo(
        code="budget.input_too_large",
        message=f"The prompt alone is over {_words(cap)}: `{dollars(cap.usd)}`\n"
        f"  it has about {tokens:,} tokens, {dollars(least)} at list price",
        hint="Send less text, or allow more: `oneseat run --max-budget-usd ...`",
    )


def unknown_price(model: str) -> ErrorInfo:
    """A budget cannot be held for a model whose price is not known."""
    return ErrorInfo(
        code="budget.unknown_price",
        message=f"The price of this model is not known: `{model}`\n  a budget cannot be held without it",
        hint="Choose another model: `oneseat run --model sonnet ...`, or run without a budget",
    )


def day_used_up(limits: DayLimits, spent: DaySpent, project: str | None) -> ErrorInfo:
    """Nothing is left of the day for this run."""
    of_all = limits.all_usd is not None and spent.all_usd >= limits.all_usd
    limit, used = (limits.all_usd, spent.all_usd) if of_all else (limits.project_usd, spent.project_usd)
    whose = "The day's budget" if of_all else f"The day's budget of the project `{project}`"
    setting = "budget.day_usd" if of_all else "day_budget_usd"
    held = f", of which {dollars(spent.reserved_usd)} is held by runs going on" if spent.reserved_usd else ""
    return ErrorInfo(
        code="budget.day_used_up",
        message=f"{whose} is used up: `{dollars(limit or 0.0)}`\n"
        f"  {dollars(used)} at list price since midnight{held}",
        hint=f"Wait for midnight, or raise `{setting}` in your oneseat.toml",
        whose_turn="wait",
    )


class _Written(msgspec.Struct):
    """One message of a model while it comes. ``read`` is what was reported, the rest is what was seen of its output."""

    id: str | None
    price: Price | None
    read: TokenUsage
    shown: int = 0
    thought: int = 0
    thinking_tokens: int = 0

    def usd(self) -> float:
        if self.price is None:
            return 0.0
        # The thinking that is shown and the provider's estimate of it are the same tokens.
        seen = tokens_in(self.shown) + max(tokens_in(self.thought), self.thinking_tokens)
        output = max(self.read.output_tokens or 0, seen)
        return cost(msgspec.structs.replace(self.read, output_tokens=output), self.price)


class Meter:
    """What one run has used so far, over all its prompts and attempts, and whether it has to stop.

    ``prices`` gives the price of a model that answers, ``price`` is that of the planned one. Both bounds may be ``None``.
    """

    def __init__(
        self,
        *,
        cap: Cap | None,
        max_turns: int | None,
        prices: Callable[[str], Price | None],
        price: Price | None,
    ) -> None:
        self._cap = cap
        self._max_turns = max_turns
        self._prices = prices
        self._price = price
        self._open: dict[str | None, _Written] = {}
        self._unpriced: str | None = None
        self._reported = False
        self._guessed_before = False
        self._whole = False
        self._before_usd = 0.0
        self._done_usd = 0.0
        self._turns_before = 0
        self._turns = 0

    @property
    def spent_usd(self) -> float | None:
        """What the run has cost so far at list price, in US dollars; ``None`` when nobody can say."""
        if self._price is None or self._unpriced is not None:
            return None
        return self._sum()

    @property
    def estimated(self) -> bool:
        """Whether a part of what was spent is our estimate, and not the provider's own account."""
        return self._guessed_before or not self._reported

    def _sum(self) -> float:
        return self._before_usd + self._done_usd + sum(written.usd() for written in self._open.values())

    def attempt(self) -> None:
        """A fresh process of the provider begins: what it reports counts from nothing."""
        self._close()
        self._guessed_before = self._guessed_before or (self._done_usd > 0 and not self._reported)
        self._before_usd, self._done_usd, self._reported = self._before_usd + self._done_usd, 0.0, False
        self.prompt()

    def prompt(self) -> None:
        """A further message is about to be sent: the provider counts its turns from nothing."""
        self._turns_before, self._turns = self._turns_before + self._turns, 0

    def add(self, event: Event) -> None:
        """Take one event in."""
        match event:
            case TextDelta():
                self._write(None, shown=_size(event.text))
            case ThinkingDelta():
                self._write(None, thought=_size(event.text))
            case Progress():
                self._write(None, shown=event.tool_input_bytes, thinking_tokens=event.thinking_tokens)
            case Message(subagent=str()):
                self._write(event.subagent, shown=_size(event.text))
            case ToolCall(subagent=str()):
                self._write(event.subagent, shown=_size(str(event.input)))
            case UsageSeen():
                self._usage(event)
            case TurnEnded():
                self._ended(event)
            case _:
                pass

    def objection(self, event: Event) -> ErrorInfo | None:
        """Why the run must stop after this event; ``None`` when it may go on. An answer that is whole is let come to its end."""
        if isinstance(event, TurnEnded):
            # A provider that stopped at its budget itself does not know whose budget it was.
            stopped = event.error is not None and event.error.code == "budget.reached"
            return self._over(at_the_end=True) if event.error is None or stopped else None
        if self._whole:
            return None
        if isinstance(event, UsageSeen) and self._out_of_turns(event):
            return self._turns_reached()
        return self._over()

    def may_send(self) -> ErrorInfo | None:
        """Why no further message may be sent; ``None`` when one may."""
        if self._max_turns is not None and self._turns_before + self._turns >= self._max_turns:
            return self._turns_reached()
        return self._over()

    def _write(
        self, subagent: str | None, shown: int = 0, thought: int = 0, thinking_tokens: int = 0
    ) -> None:
        if not (shown or thought or thinking_tokens):
            return
        self._whole = self._reported = False
        written = self._open.get(subagent)
        if written is None:
            # Output that came before its message was announced: nothing of it may be free.
            written = self._open[subagent] = _Written(None, self._price, TokenUsage())
        written.shown += shown
        written.thought += thought
        written.thinking_tokens += thinking_tokens

    def _usage(self, event: UsageSeen) -> None:
        written = self._open.get(event.subagent)
        if written is None or written.id != event.message_id:
            self._close(event.subagent)
            written = _Written(event.message_id, self._price_of(event.model), event.usage)
            self._open[event.subagent] = written
        written.read = event.usage
        self._reported = False
        self._whole = event.subagent is None and event.stop_reason in _WHOLE
        if event.stop_reason is not None:
            # Counted by the provider: what was estimated of it no longer matters.
            written.shown = written.thought = written.thinking_tokens = 0
            self._close(event.subagent)
            self._turns += event.subagent is None

    def _price_of(self, model: str | None) -> Price | None:
        if self._price is None or model is None:
            return self._price
        price = self._prices(model)
        if price is None:
            self._unpriced = model
        return price

    def _close(self, *which: str | None) -> None:
        for subagent in which or tuple(self._open):
            written = self._open.pop(subagent, None)
            self._done_usd += written.usd() if written is not None else 0.0

    def _ended(self, event: TurnEnded) -> None:
        self._close()
        if event.list_cost_usd is not None:
            self._done_usd, self._reported = event.list_cost_usd, True

    def _out_of_turns(self, event: UsageSeen) -> bool:
        # A turn has been used when its message has ended: one that broke off and is repeated counts once.
        begins = event.subagent is None and event.stop_reason is None
        return begins and self._max_turns is not None and self._turns_before + self._turns >= self._max_turns

    def _over(self, *, at_the_end: bool = False) -> ErrorInfo | None:
        if self._cap is None:
            return None
        if self._unpriced is not None:
            return ErrorInfo(
                code="budget.unpriced",
                message=f"The run was stopped: it went on with a model whose price is not known: `{self._unpriced}`\n"
                "  a budget cannot be held without it",
                hint="Choose another model: `oneseat run --model sonnet ...`, or run without a budget",
            )
        spent = self.spent_usd or 0.0
        if spent < self._cap.usd or (at_the_end and spent == self._cap.usd):
            return None
        when = "when it was over" if at_the_end else "when it was stopped"
        return ErrorInfo(
            code="budget.reached",
            message=f"The run reached {_words(self._cap)}: `{dollars(self._cap.usd)}`\n"
            f"  {'' if at_the_end else 'about '}{dollars(spent)} at list price {when}; what was received is kept",
            hint="Allow more: `oneseat run --max-budget-usd ...`"
            if self._cap.source == "run"
            else "Raise it in your oneseat.toml, or wait for midnight",
        )

    def _turns_reached(self) -> ErrorInfo:
        return ErrorInfo(
            code="budget.turns_reached",
            message=f"The run used all its turns: `{self._max_turns}`\n  it was stopped; what was received is kept",
            hint="Allow more: `oneseat run --max-turns ...`",
        )


def dollars(amount: float) -> str:
    """An amount as a message shows it: cents, and more digits where cents would hide it."""
    digits = 2 if round(amount, 2) == round(amount, 4) and amount >= 0.01 else 4 if amount >= 0.001 else 6
    return f"${amount:.{digits}f}"


def _size(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


def _words(cap: Cap) -> str:
    return _WORDS[cap.source]
