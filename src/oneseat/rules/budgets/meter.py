"""Budgets: what tokens cost at list price, what a run has used so far, and when it has to stop. Pure arithmetic.

An estimate errs on the dear side, as it decides when to stop; what the provider itself reports takes its place.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import msgspec

from oneseat.contract.budgets import FREE, NO_BUDGET, Cap, Price, Rates
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
from oneseat.contract.receipt import NO_TOKENS, TokenUsage
from oneseat.contract.request import Request

from . import messages as refusals

#: UTF-8 bytes to one token: prose has about four, code and tables three, Chinese and Japanese three to a character.
BYTES_PER_TOKEN = 3
#: What an image or a page costs at least; how many pages a PDF has is not looked at.
_PICTURE_TOKENS = 1600
#: A message that ends so is the whole answer: no further request follows it.
_WHOLE = frozenset({"end_turn", "stop_sequence", "refusal"})
_MILLION = 1_000_000
#: How a vendor says no before it begins to work.
_TURNED_DOWN = frozenset(
    f"provider.{word}"
    for word in (
        "account_on_hold",
        "auth_rejected",
        "bad_request",
        "context_overflow",
        "credit_exhausted",
        "model_not_found",
        "overloaded",
        "request_too_large",
        "server_error",
        "unreachable",
        "verification_required",
    )
)


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
    size, pictures = sizes(request)
    return tokens_in(size) + pictures * _PICTURE_TOKENS


def sizes(request: Request) -> tuple[int, int]:
    """How many bytes of text a request sends, and how many images and documents."""
    size, pictures = _size(request.prompt) + _size(request.system or ""), 0
    for attached in request.attachments:
        if attached.media_type.startswith("image/") or attached.media_type == "application/pdf":
            pictures += 1
        else:
            size += len(attached.data)
    return size, pictures


def turned_down(error: ErrorInfo) -> bool:
    """Whether a request that nothing came of was refused by the vendor. One that was lost may have been answered there."""
    return error.code.startswith("limit.") or error.code in _TURNED_DOWN


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


class _Covered(msgspec.Struct):
    """A request that is paid by use, and is on its way: what it can cost, and how long its answer may be."""

    usd: float
    tokens: int
    cut: bool
    answered: bool = False


class Meter:
    """What one run has used so far, over all its prompts and attempts, and whether it has to stop.

    ``prices`` gives the price of a model that answers, ``price`` is that of the planned one. ``cap``
    may be raised while the run goes on. ``by_use`` is for what is charged by use: each request is covered before it leaves, so its
    answer is never stopped in the middle, and what is not counted by the provider in the end is not known.
    """

    def __init__(
        self,
        *,
        cap: Cap,
        max_turns: int | None,
        prices: Callable[[str], Price | None],
        price: Price | None,
        by_use: bool = False,
    ) -> None:
        self.cap = cap
        self._max_turns = max_turns
        self._prices = prices
        self._price = price
        self.by_use = by_use
        self._covered: _Covered | None = None
        self._last: _Covered | None = None
        self._open: dict[str | None, _Written] = {}
        self._unpriced: str | None = None
        self._reported = False
        self._guessed_before = False
        #: Whether an answer that is paid by use came without a count that says what it cost.
        self._uncounted = False
        self._whole = False
        self._before_usd = 0.0
        self._done_usd = 0.0
        self._turns_before = 0
        self._turns = 0

    @property
    def spent_usd(self) -> float | None:
        """What the run has cost so far at list price, in US dollars; ``None`` when nobody can say."""
        if self._price is None or self._unpriced is not None or self._uncounted:
            return None
        if self._covered is not None and self._covered.usd:
            return None
        return self._sum()

    @property
    def price(self) -> Price | None:
        """The price of the planned model; ``None`` when it is not known."""
        return self._price

    @property
    def is_free(self) -> bool:
        """Whether nothing is charged for the model."""
        return self._price == FREE

    @property
    def estimated(self) -> bool:
        """Whether a part of what was spent is our estimate, and not the provider's own account."""
        return self._guessed_before or not self._reported

    @property
    def committed_usd(self) -> float:
        """What it has cost so far, and may still cost by the request that is on its way, in US dollars."""
        if self._covered is None:
            return self._sum()
        return self._before_usd + self._done_usd + self._covered.usd

    def cover(self, usd: float, tokens: int, wanted: int) -> None:
        """A request leaves that costs at most ``usd``; of ``wanted`` tokens its answer may have ``tokens``."""
        self._covered = _Covered(usd, tokens, cut=tokens < wanted)

    def broke_off(self, error: ErrorInfo) -> None:
        """An attempt failed. No vendor charges for a request that it turned down."""
        if self._covered is not None and not self._covered.answered and turned_down(error):
            self._covered = None

    def _sum(self) -> float:
        return self._before_usd + self._done_usd + sum(written.usd() for written in self._open.values())

    def attempt(self) -> None:
        """A fresh process of the provider begins: what it reports counts from nothing."""
        if self._covered is not None:
            # Nobody has counted the request that was on its way, and it is charged for all the same.
            self._before_usd += self._covered.usd
            self._covered = None
            self._open.clear()
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
            if self._cut_by_budget(event):
                return self._answer_cut()
            return self._over(at_the_end=True) if event.error is None or stopped else None
        if self._whole or (self.by_use and self._unpriced is None and not isinstance(event, UsageSeen)):
            return None
        if isinstance(event, UsageSeen) and self._out_of_turns(event):
            return self._turns_reached()
        # A request that was covered has its answer; whether another one is, is asked before it leaves.
        return None if self.by_use and self._unpriced is None else self._over()

    def may_send(self) -> ErrorInfo | None:
        """Why no further message may be sent; ``None`` when one may."""
        if self._max_turns is not None and self._turns_before + self._turns >= self._max_turns:
            return self._turns_reached()
        # What is paid by use asks for each request by itself, with its size.
        return None if self.by_use and self._unpriced is None else self._over()

    def _write(
        self, subagent: str | None, shown: int = 0, thought: int = 0, thinking_tokens: int = 0
    ) -> None:
        if not (shown or thought or thinking_tokens):
            return
        self._whole = self._reported = False
        if self._covered is not None:
            # Nothing of it is estimated: the vendor counts it in the end, or it counts as what it can cost.
            self._covered.answered = True
            return
        written = self._open.get(subagent)
        if written is None:
            # Output that came before its message was announced: nothing of it may be free.
            written = self._open[subagent] = _Written(None, self._price, TokenUsage())
        written.shown += shown
        written.thought += thought
        written.thinking_tokens += thinking_tokens

    def _usage(self, event: UsageSeen) -> None:
        written = self._open.get(event.subagent)
        if self._covered is not None:
            self._covered.answered = True
        if written is None or written.id != event.message_id:
            self._close(event.subagent)
            written = _Written(event.message_id, self._price_of(event.model), event.usage)
            self._open[event.subagent] = written
        written.read = event.usage
        self._reported = False
        self._whole = event.subagent is None and event.stop_reason in _WHOLE
        if event.stop_reason is not None:
            if event.usage.output_tokens:
                # Counted by the provider: what was estimated of it no longer matters.
                written.shown = written.thought = written.thinking_tokens = 0
            if self.by_use and not self.is_free and not (event.usage.is_known and written.price is not None):
                self._keep_covered(event.subagent)
            self._last, self._covered = self._covered or self._last, None
            self._close(event.subagent)
            self._turns += event.subagent is None

    def _keep_covered(self, subagent: str | None) -> None:
        """An answer came whose cost nobody can say: what was reserved for it stays counted."""
        self._uncounted = True
        if self._covered is not None:
            self._open.pop(subagent, None)
            self._done_usd += self._covered.usd

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
            self._covered = None
        elif self._covered is not None and event.error is not None and event.usage == NO_TOKENS:
            # The vendor turned it down, and nothing of it was sent before.
            self._covered = None

    def _cut_by_budget(self, event: TurnEnded) -> bool:
        last = self._covered or self._last
        too_long = event.error is not None and event.error.code == "incomplete.max_tokens"
        return too_long and last is not None and last.cut

    def _answer_cut(self) -> ErrorInfo | None:
        last = self._covered or self._last
        return refusals.cut(self.cap, last.tokens) if self.cap is not NO_BUDGET and last is not None else None

    def _out_of_turns(self, event: UsageSeen) -> bool:
        # A turn has been used when its message has ended: one that broke off and is repeated counts once.
        begins = event.subagent is None and event.stop_reason is None
        return begins and self._max_turns is not None and self._turns_before + self._turns >= self._max_turns

    def _over(self, *, at_the_end: bool = False) -> ErrorInfo | None:
        if self.cap is NO_BUDGET:
            return None
        if self._unpriced is not None:
            return refusals.unpriced(self._unpriced)
        spent = self.spent_usd or 0.0
        limit = self.cap.most_usd if self.by_use else self.cap.usd
        if spent < limit or (at_the_end and spent == limit):
            return None
        return refusals.reached(self.cap, spent, at_the_end=at_the_end)

    def _turns_reached(self) -> ErrorInfo:
        return refusals.turns_reached(self._max_turns or 0)


def _size(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))
