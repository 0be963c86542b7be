"""Budgets: what tokens cost at list price, what a run has used so far, and when it has to stop. Pure arithmetic.

Estimates are too high rather than too low, as they decide when to stop; the provider's own report replaces them.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import msgspec

from oneseat.contract.budgets import FREE, NO_BUDGET, Price, Rates, Reservation
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

#: UTF-8 bytes per token: about four in prose, three in code and tables, three per character in Chinese and Japanese.
BYTES_PER_TOKEN = 3
#: The minimum tokens of an image or a page; the pages of a PDF are not counted.
_PICTURE_TOKENS = 1600
#: Stop reasons after which the answer is complete: no further request follows.
_WHOLE = frozenset({"end_turn", "stop_sequence", "refusal"})
_MILLION = 1_000_000
#: The errors with which a vendor rejects a request before processing it.
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
    """The list price of tokens, in US dollars. Unknown counts are ignored."""
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
    """The estimated maximum number of tokens in that many bytes of text."""
    return math.ceil(size / BYTES_PER_TOKEN)


def input_tokens(request: Request) -> int:
    """The estimated tokens of a request, without what the official CLI adds and without earlier messages."""
    size, pictures = sizes(request)
    return tokens_in(size) + pictures * _PICTURE_TOKENS


def sizes(request: Request) -> tuple[int, int]:
    """The bytes of text in a request, and the number of images and documents."""
    size, pictures = _size(request.prompt) + _size(request.system or ""), 0
    for attached in request.attachments:
        if attached.media_type.startswith("image/") or attached.media_type == "application/pdf":
            pictures += 1
        else:
            size += len(attached.data)
    return size, pictures


def turned_down(error: ErrorInfo) -> bool:
    """Whether the vendor rejected a request. A request that was lost may have been processed, and charged, all the same."""
    return error.code.startswith("limit.") or error.code in _TURNED_DOWN


class _Written(msgspec.Struct):
    """One message of a model while it is received. ``read`` is the reported usage, the rest is the output seen so far."""

    id: str | None
    price: Price | None
    read: TokenUsage
    shown: int = 0
    thought: int = 0
    thinking_tokens: int = 0

    def usd(self) -> float:
        if self.price is None:
            return 0.0
        # The visible thinking and the provider's estimate of it are the same tokens.
        seen = tokens_in(self.shown) + max(tokens_in(self.thought), self.thinking_tokens)
        output = max(self.read.output_tokens or 0, seen)
        return cost(msgspec.structs.replace(self.read, output_tokens=output), self.price)


class _Covered(msgspec.Struct):
    """A pending request that is charged by use: its maximum cost, and the token limit of its answer."""

    usd: float
    tokens: int
    cut: bool
    answered: bool = False


class Meter:
    """What one run has used so far, over all its prompts and attempts, and whether it has to stop.

    ``prices`` returns the price of an answering model, ``price`` is that of the planned one. ``reservation`` may be raised
    during the run. ``by_use`` is for runs charged by use: each request is covered by a reservation before it is sent, so its
    answer is never stopped in the middle, and the cost is unknown if the provider does not report its tokens.
    """

    def __init__(
        self,
        *,
        reservation: Reservation,
        max_turns: int | None,
        prices: Callable[[str], Price | None],
        price: Price | None,
        by_use: bool = False,
    ) -> None:
        self.reservation = reservation
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
        #: Whether an answer charged by use came without the token counts that determine its cost.
        self._uncounted = False
        self._whole = False
        self._before_usd = 0.0
        self._done_usd = 0.0
        self._turns_before = 0
        self._turns = 0

    @property
    def spent_usd(self) -> float | None:
        """What the run has cost so far at list price, in US dollars; ``None`` when it is unknown."""
        if self._price is None or self._unpriced is not None or self._uncounted:
            return None
        if self._covered is not None and self._covered.usd:
            return None
        return self._sum()

    @property
    def price(self) -> Price | None:
        """The price of the planned model; ``None`` when it is unknown."""
        return self._price

    @property
    def is_free(self) -> bool:
        """Whether the model is free."""
        return self._price == FREE

    @property
    def estimated(self) -> bool:
        """Whether part of the cost is our estimate rather than the provider's report."""
        return self._guessed_before or not self._reported

    @property
    def committed_usd(self) -> float:
        """What the run has cost so far plus the maximum cost of the pending request, in US dollars."""
        if self._covered is None:
            return self._sum()
        return self._before_usd + self._done_usd + self._covered.usd

    def cover(self, usd: float, tokens: int, wanted: int) -> None:
        """Note a request of at most ``usd``, whose answer may have ``tokens`` of the ``wanted`` tokens. Call before sending it."""
        self._covered = _Covered(usd, tokens, cut=tokens < wanted)

    def broke_off(self, error: ErrorInfo) -> None:
        """Note a failed attempt. No vendor charges for a request that it rejected."""
        if self._covered is not None and not self._covered.answered and turned_down(error):
            self._covered = None

    def _sum(self) -> float:
        return self._before_usd + self._done_usd + sum(written.usd() for written in self._open.values())

    def attempt(self) -> None:
        """Note the start of a new provider process, whose reports count from zero."""
        if self._covered is not None:
            # The pending request was not counted but is charged all the same.
            self._before_usd += self._covered.usd
            self._covered = None
            self._open.clear()
        self._close()
        self._guessed_before = self._guessed_before or (self._done_usd > 0 and not self._reported)
        self._before_usd, self._done_usd, self._reported = self._before_usd + self._done_usd, 0.0, False
        self.prompt()

    def prompt(self) -> None:
        """Note a further message about to be sent: the provider counts its turns from zero."""
        self._turns_before, self._turns = self._turns_before + self._turns, 0

    def add(self, event: Event) -> None:
        """Count one event."""
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
        """Why the run must stop after this event; ``None`` when it may go on. A complete answer is not interrupted."""
        if isinstance(event, TurnEnded):
            # A provider that stopped at its own limit does not know which budget set it.
            stopped = event.error is not None and event.error.code == "budget.reached"
            if self._cut_by_budget(event):
                return self._answer_cut()
            return self._over(at_the_end=True) if event.error is None or stopped else None
        if self._whole or (self.by_use and self._unpriced is None and not isinstance(event, UsageSeen)):
            return None
        if isinstance(event, UsageSeen) and self._out_of_turns(event):
            return self._turns_reached()
        # The answered request was covered; the next one asks for its own cover before it is sent.
        return None if self.by_use and self._unpriced is None else self._over()

    def may_send(self) -> ErrorInfo | None:
        """Why no further message may be sent; ``None`` when one may."""
        if self._max_turns is not None and self._turns_before + self._turns >= self._max_turns:
            return self._turns_reached()
        # When charged by use, each request asks for its own cover, with its size.
        return None if self.by_use and self._unpriced is None else self._over()

    def _write(
        self, subagent: str | None, shown: int = 0, thought: int = 0, thinking_tokens: int = 0
    ) -> None:
        if not (shown or thought or thinking_tokens):
            return
        self._whole = self._reported = False
        if self._covered is not None:
            # Do not estimate: the request counts with the vendor's report, or else with its maximum cost.
            self._covered.answered = True
            return
        written = self._open.get(subagent)
        if written is None:
            # Output before the start of its message was reported must be counted too.
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
                # The provider's count replaces the estimate.
                written.shown = written.thought = written.thinking_tokens = 0
            if self.by_use and not self.is_free and not (event.usage.is_known and written.price is not None):
                self._keep_covered(event.subagent)
            self._last, self._covered = self._covered or self._last, None
            self._close(event.subagent)
            self._turns += event.subagent is None

    def _keep_covered(self, subagent: str | None) -> None:
        """Count the maximum cost of an answered request whose actual cost is unknown."""
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
            # The vendor rejected the request and sent no output.
            self._covered = None

    def _cut_by_budget(self, event: TurnEnded) -> bool:
        last = self._covered or self._last
        too_long = event.error is not None and event.error.code == "incomplete.max_tokens"
        return too_long and last is not None and last.cut

    def _answer_cut(self) -> ErrorInfo | None:
        last = self._covered or self._last
        return (
            refusals.cut(self.reservation, last.tokens)
            if self.reservation is not NO_BUDGET and last is not None
            else None
        )

    def _out_of_turns(self, event: UsageSeen) -> bool:
        # A turn counts when its message has ended, so that a message that was cut short and repeated counts once.
        begins = event.subagent is None and event.stop_reason is None
        return begins and self._max_turns is not None and self._turns_before + self._turns >= self._max_turns

    def _over(self, *, at_the_end: bool = False) -> ErrorInfo | None:
        if self.reservation is NO_BUDGET:
            return None
        if self._unpriced is not None:
            return refusals.unpriced(self._unpriced)
        spent = self.spent_usd or 0.0
        limit = self.reservation.most_usd if self.by_use else self.reservation.usd
        if spent < limit or (at_the_end and spent == limit):
            return None
        return refusals.reached(self.reservation, spent, at_the_end=at_the_end)

    def _turns_reached(self) -> ErrorInfo:
        return refusals.turns_reached(self._max_turns or 0)


def _size(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))
