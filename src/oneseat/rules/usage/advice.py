"""What a measured workload costs with a key and with plans. Pure arithmetic on list prices; unknown values never count as 0."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from oneseat.contract.budgets import Price, Rates, Stamp
from oneseat.contract.reports.advice import (
    Advice,
    Caching,
    Lean,
    Mix,
    NoVerdict,
    Option,
    OtherModel,
    Period,
    Source,
    Tokens,
    Verdict,
    Workload,
)
from oneseat.contract.reports.plans import Plan, PlanBook

from .sums import Part, Sum, date_text

#: Returns the price of a model on a day (days since 1970), or today for ``None``.
PriceOf = Callable[[str, int | None], Price | None]

#: The days of a month when daily use is extrapolated.
MONTH_DAYS = 30
_MILLION = 1_000_000


class Span:
    """The first and last day (days since 1970, both included); ``zone`` is the name of their time zone."""

    __slots__ = ("first", "last", "zone")

    def __init__(self, first: int, last: int, zone: str) -> None:
        self.first = first
        self.last = last
        self.zone = zone


def advise(
    parts: Sequence[Part],
    asked: Span,
    book: PlanBook,
    price_of: PriceOf,
    prices: Stamp,
    not_read: dict[str, int],
) -> Advice:
    """The advice for the usage in ``parts`` on the days ``asked``, starting at the first usage if that is later."""
    days = [part.day for part in parts if part.day is not None]
    first = max(asked.first, min(days, default=asked.first))
    chosen = [part for part in parts if part.day is not None and first <= part.day <= asked.last]
    total = Sum()
    for part in chosen:
        total.add(part)
    period = _period(parts, chosen, Span(first, asked.last, asked.zone)) if chosen else None
    why = _no_verdict(period, total, book)
    workload = _workload(chosen, total, period, enough=why != "too_little") if period else None
    month = None if workload is None else workload.list_price_usd_month
    times = MONTH_DAYS / period.days if period else 0.0
    options = tuple(option(plan, month) for plan in book.plans if plan.status == "active")
    return Advice(
        period=period,
        workload=workload,
        no_verdict=why,
        verdict=None if month is None else verdict(month, book),
        options=options,
        cheapest_certain=_cheapest(month, [(each.id, each.most_usd_month) for each in options]),
        cheapest_possible=_cheapest(month, [(each.id, each.least_usd_month) for each in options]),
        caching=None if month is None else caching(chosen, price_of, times),
        models=()
        if month is None
        else tuple(on_model(each.id, total, price_of, times) for each in book.alternatives),
        lean=None if workload is None else _lean(chosen, book),
        notices=book.notices,
        assumptions=_assumptions(book, workload),
        sources=_sources(book, prices, options),
        not_read=not_read,
    )


def _period(parts: Sequence[Part], chosen: Sequence[Part], span: Span) -> Period:
    return Period(
        first_day=date_text(span.first),
        last_day=date_text(span.last),
        days=span.last - span.first + 1,
        days_with_use=len({part.day for part in chosen}),
        time_zone=span.zone,
        undated=sum(part.answers for part in parts if part.day is None),
    )


def _workload(chosen: Sequence[Part], total: Sum, period: Period, *, enough: bool) -> Workload:
    days = period.days
    listed = total.listed
    return Workload(
        answers=total.answers,
        own_answers=sum(part.answers for part in chosen if part.source == "run"),
        total=_tokens(total.tokens, 1),
        per_day=_tokens(total.tokens, 1 / days),
        per_month=_tokens(total.tokens, MONTH_DAYS / days) if enough else None,
        list_price_usd=listed,
        list_price_usd_day=None if listed is None else listed / days,
        list_price_usd_month=listed * MONTH_DAYS / days if enough and listed is not None else None,
        at_least=total.at_least or bool(total.unpriced),
        unpriced_tokens=total.unpriced,
        special_rate_answers=total.special,
    )


def _tokens(counts: Sequence[int], times: float) -> Tokens:
    given, out, read, five, hour = (count * times for count in counts)
    return Tokens(input=given, output=out, cache_read=read, cache_write=five + hour)


def _no_verdict(period: Period | None, total: Sum, book: PlanBook) -> NoVerdict | None:
    if period is None:
        return "nothing_used"
    if period.days < book.enough.days or period.days_with_use < book.enough.days_with_use:
        return "too_little"
    return "no_price" if total.listed is None else None


def verdict(usd_month: float, book: PlanBook) -> Verdict | None:
    """The class with the highest threshold that a list price per month reaches; ``None`` when it reaches none."""
    reached = [each for each in book.classes if each.from_usd_month <= usd_month]
    found = max(reached, key=lambda each: each.from_usd_month, default=None)
    if found is None:
        return None
    return Verdict(id=found.id, name=found.name, from_usd_month=found.from_usd_month, reason=found.reason)


def option(plan: Plan, key_usd: float | None) -> Option:
    """A plan compared with a key, with which the same work costs ``key_usd`` a month."""
    price, credit = plan.price_usd_month, plan.api_credit_usd or 0.0
    known = price is not None and key_usd is not None
    least = most = share = can_pay = None
    if price is not None and key_usd is not None:
        # An unknown credit counts as none, so that the upper bound is never too low.
        least, most = price, price + max(0.0, key_usd - credit)
        can_pay = price <= key_usd
        share = max(0.0, price - credit) / key_usd if can_pay and key_usd > 0 else None
    return Option(
        id=plan.id,
        name=plan.name,
        price_usd_month=price,
        api_credit_usd=plan.api_credit_usd,
        least_usd_month=least,
        most_usd_month=most,
        can_pay=can_pay if known else None,
        pays_from_share=share,
        includes=plan.includes,
        source=plan.source,
        as_of=plan.as_of,
    )


def _cheapest(key_usd: float | None, costs: Iterable[tuple[str, float | None]]) -> Mix | None:
    if key_usd is None:
        return None
    known = [(usd, name) for name, usd in costs if usd is not None and usd < key_usd]
    usd, plan = min(known, default=(key_usd, None))
    return Mix(plan=plan, usd_month=usd)


def caching(parts: Iterable[Part], price_of: PriceOf, times: float) -> Caching | None:
    """The effect of the cache for models with a known price; ``times`` scales the days to a month. ``None`` without any."""
    cached = plain = 0.0
    read = sent = 0
    tiers = False
    for part in parts:
        price = price_of(part.model, part.day)
        if price is None:
            continue
        given, _, reads, five, hour = part.tokens
        rates = price.rates
        cached += reads * rates.cache_read + five * rates.cache_write_5m + hour * rates.cache_write_1h
        plain += (reads + five + hour) * rates.input
        read += reads
        sent += given + reads + five + hour
        tiers = tiers or bool(price.tiers)
    if not sent:
        return None
    return Caching(
        cached_usd_month=cached * times / _MILLION,
        plain_usd_month=plain * times / _MILLION,
        read_share=read / sent,
        tiers_ignored=tiers,
    )


def on_model(model: str, total: Sum, price_of: PriceOf, times: float) -> OtherModel:
    """The cost of all tokens of ``total`` on another model, including tokens of unpriced models."""
    price = price_of(model, None)
    if price is None:
        return OtherModel(model=model, least_usd_month=None, most_usd_month=None)
    costs = [
        cost(total.tokens, rates) * times for rates in (price.rates, *(tier.rates for tier in price.tiers))
    ]
    return OtherModel(model=model, least_usd_month=min(costs), most_usd_month=max(costs))


def cost(tokens: Sequence[int], rates: Rates) -> float:
    """The list price of tokens by kind, in the order of ``usage.KINDS``."""
    given, out, read, five, hour = tokens
    return (
        given * rates.input
        + out * rates.output
        + read * rates.cache_read
        + five * rates.cache_write_5m
        + hour * rates.cache_write_1h
    ) / _MILLION


def _lean(chosen: Sequence[Part], book: PlanBook) -> Lean:
    return Lean(
        measured=tuple(each for each in book.requests if each.status == "active"),
        own_sent_per_answer=_sent_per_answer(part for part in chosen if part.source == "run"),
        other_sent_per_answer=_sent_per_answer(part for part in chosen if part.source != "run"),
    )


def _sent_per_answer(parts: Iterable[Part]) -> float | None:
    listed = list(parts)
    answers = sum(part.answers for part in listed)
    # All kinds except the second, which is output.
    sent = sum(sum(part.tokens) - part.tokens[1] for part in listed)
    return sent / answers if answers else None


def _assumptions(book: PlanBook, workload: Workload | None) -> tuple[str, ...]:
    enough = book.enough
    found = [
        f"A month has {MONTH_DAYS} days, all like the measured ones; today counts as a full day.",
        f"A verdict needs {enough.days} days, {enough.days_with_use} of them with usage: {enough.reason}.",
        "Vendors do not publish how much a plan's windows hold, so no plan is called sufficient; see `oneseat limits`.",
        "Another model may need more or fewer tokens for the same work; this assumes the same number.",
        "Taxes, other currencies and yearly prices are not included.",
    ]
    if workload is not None and workload.at_least:
        found.append("The measured usage is a lower bound, so an API key costs at least this much.")
    if workload is not None and workload.unpriced_tokens:
        found.append("Tokens of models without a list price count only in the comparison with other models.")
    if workload is not None and workload.special_rate_answers:
        found.append("Answers at a special rate (fast, batch, a region) are priced at the standard rate.")
    return tuple(found)


def _sources(book: PlanBook, prices: Stamp, options: Sequence[Option]) -> tuple[Source, ...]:
    found = [Source(what=f"prices of models ({prices.name})", source=prices.source, as_of=prices.as_of)]
    found += [Source(what=f"plan {each.name}", source=each.source, as_of=each.as_of) for each in options]
    found += [
        Source(what="bytes of requests", source=each.source, as_of=each.as_of)
        for each in book.requests
        if each.status == "active"
    ]
    found += [Source(what=f"note {each.id}", source=each.source, as_of=each.as_of) for each in book.notices]
    return tuple(found)
