"""The messages when a budget stops a run, or prevents its start."""

from __future__ import annotations

from oneseat.contract.budgets import Budget, Period, Reservation, Spent
from oneseat.contract.errors import ErrorInfo

#: Smaller amounts count as zero: floating-point sums are off by less, and no request costs less.
LEAST_USD = 1e-6
_MORE = "Allow more: `oneseat run --max-budget-usd ...`"
_BEGAN: dict[Period, str] = {"day": "midnight", "month": "the first of the month", "run": "its beginning"}
_TABLES = {"key": "keys", "role": "roles", "project": "projects", "client": "clients"}


def dollars(amount: float) -> str:
    """An amount as shown in messages: in cents, with more digits for amounts below a cent."""
    digits = 2 if round(amount, 2) == round(amount, 4) and amount >= 0.01 else 4 if amount >= 0.001 else 6
    return f"${amount:.{digits}f}"


def whose(bound: Budget) -> str:
    """The name of a budget in messages."""
    of = "" if bound.scope == "all" else f" of the {bound.scope} `{bound.name}`"
    if bound.period == "run":
        return f"the budget of one run{of}" if of else "its budget"
    return f"the {bound.period}'s budget{of}"


def setting_of(bound: Budget) -> str:
    """The setting that contains a budget of the owner."""
    if bound.scope == "all":
        return f"budget.{bound.period}_usd"
    return f"{_TABLES[bound.scope]}.{bound.name}.{bound.period}_budget_usd"


def used_up(tightest: Spent) -> ErrorInfo:
    """The error when nothing is left for a run. ``tightest`` is the deciding budget, with what it leaves."""
    bound = tightest.bound
    if bound.period == "run":
        return ErrorInfo(
            code="budget.reached",
            message=f"The run has used {whose(bound)}: `{dollars(bound.usd)}`\n  nothing is left for another attempt",
            hint=_how_to_raise(bound),
        )
    held = f", of which {dollars(tightest.held_usd)} is reserved by active runs" if tightest.held_usd else ""
    text = whose(bound)
    return ErrorInfo(
        code=f"budget.{bound.period}_used_up",
        message=f"{text[0].upper()}{text[1:]} is used up: `{dollars(bound.usd)}`\n"
        f"  {dollars(bound.usd - tightest.usd)} at list price since {_BEGAN[bound.period]}{held}{_misdated(tightest)}",
        hint=_how_to_raise(bound) if tightest.misdated is None else _how_to_date(bound),
        whose_turn="wait",
    )


def _misdated(tightest: Spent) -> str:
    if tightest.misdated is None:
        return ""
    return (
        f"\n  {dollars(tightest.misdated_usd)} of it are of runs with another date, such as `{tightest.misdated}`: "
        "this machine's clock was wrong then, or is wrong now"
    )


def _how_to_date(bound: Budget) -> str:
    return f"Check the clock: `date`. If it is right now, such runs count until this {bound.period} ends. {_how_to_raise(bound)}"


def too_large(tokens: int, usd: float, reservation: Reservation, *, at_most: bool) -> ErrorInfo:
    """The error when the prompt alone costs more than is left. ``at_most``: the token count is an upper bound."""
    count = f"it may have up to {tokens:,} tokens" if at_most else f"it has about {tokens:,} tokens"
    return ErrorInfo(
        code="budget.input_too_large",
        message=f"The prompt alone exceeds {_what_is_left(reservation.bound)}: `{dollars(reservation.most_usd)}`\n"
        f"  {count}, {dollars(usd)} at list price",
        hint="Send less text, or allow more: `oneseat run --max-budget-usd ...`"
        if reservation.bound.period == "run" and reservation.bound.scope == "all"
        else f"Send less text, or raise `{setting_of(reservation.bound)}` in your oneseat.toml",
    )


def unknown_price(model: str) -> ErrorInfo:
    """The error when a budget applies but the model's price is unknown."""
    return ErrorInfo(
        code="budget.unknown_price",
        message=f"The list price of this model is unknown: `{model}`\n  a budget cannot be enforced without it",
        hint=f'Add its list price to your oneseat.toml: `[prices."{model}"]`, with `input` and `output`',
    )


def unpriced(model: str) -> ErrorInfo:
    """The error when a run continued with a model of unknown price."""
    return ErrorInfo(
        code="budget.unpriced",
        message=f"The run was stopped: it switched to a model whose list price is unknown: `{model}`\n"
        "  a budget cannot be enforced without it",
        hint=f'Add its list price to your oneseat.toml: `[prices."{model}"]`, with `input` and `output`',
    )


def reached(reservation: Reservation, spent_usd: float, *, at_the_end: bool) -> ErrorInfo:
    """The error when a run has used its budget."""
    when = "at its end" if at_the_end else "when it was stopped"
    return ErrorInfo(
        code="budget.reached",
        message=f"The run reached {_what_is_left(reservation.bound)}: `{dollars(reservation.usd)}`\n"
        f"  {'' if at_the_end else 'about '}{dollars(spent_usd)} at list price {when}; what was received is kept",
        hint=_how_to_raise(reservation.bound),
    )


def cut(reservation: Reservation, tokens: int) -> ErrorInfo:
    """The error when the budget truncated the answer."""
    return ErrorInfo(
        code="budget.reached",
        message=f"The answer was cut at {_what_is_left(reservation.bound)}: `{dollars(reservation.usd)}`\n"
        f"  that covered {tokens:,} more tokens; what was received is kept",
        hint=_how_to_raise(reservation.bound),
    )


def turns_reached(turns: int) -> ErrorInfo:
    """The error when a run has used all its turns."""
    return ErrorInfo(
        code="budget.turns_reached",
        message=f"The run reached its turn limit: `{turns}`\n  it was stopped; what was received is kept",
        hint="Allow more: `oneseat run --max-turns ...`",
    )


def _what_is_left(bound: Budget) -> str:
    return whose(bound) if bound.period == "run" else f"what was left of {whose(bound)}"


def _how_to_raise(bound: Budget) -> str:
    if bound.period == "run":
        return _MORE if bound.scope == "all" else f"Raise `{setting_of(bound)}` in your oneseat.toml"
    until = "midnight" if bound.period == "day" else "the next month"
    return f"Wait for {until}, or raise `{setting_of(bound)}` in your oneseat.toml"
