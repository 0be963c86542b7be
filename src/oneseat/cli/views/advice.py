"""Advice as a person reads it, within 80 columns, and no more exact than it is."""

from __future__ import annotations

from collections.abc import Iterator

from oneseat.contract.reports.advice import Advice, Caching, Lean, Mix, Option, OtherModel, Tokens, Workload

from .footnotes import not_read
from .numbers import short, usd, usd_about
from .table import clip, plural, table
from .text import listed, wrapped
from .usage import unpriced

_LABEL = 14
#: The columns of a plan's name and of its prices.
_NAME, _PRICE = 21, 12
_WHY_NOT = {
    "nothing_used": "Nothing was used on these days, so there is no advice.",
    "too_little": "No verdict: too little was measured to estimate a month. The assumptions say how much is needed.",
    "no_price": "No verdict: no price is known for the models that were used.",
}


def advice_text(advice: Advice) -> str:
    """The whole advice."""
    lines = list(_measured(advice))
    if advice.workload is not None and advice.no_verdict is None:
        lines += ["", *_plans(advice, advice.workload), "", *_cheapest(advice), "", *_changes(advice)]
    lines += ["", *listed("assumptions", [*advice.assumptions])]
    lines += ["", *listed("notes", [_notice(each.text, each.status) for each in advice.notices])]
    lines += ["", *_sources(advice)]
    return "\n".join(lines)


def _measured(advice: Advice) -> Iterator[str]:
    period, workload = advice.period, advice.workload
    if period is None or workload is None:
        yield _WHY_NOT["nothing_used"]
        yield from not_read(advice.not_read)
        return
    yield from wrapped(
        f"Measured {period.first_day} to {period.last_day} ({period.time_zone}), {period.days} days, {period.days_with_use}"
        f" with use; {workload.answers:,} answers, {workload.own_answers:,} of them to oneseat's own runs"
    )
    yield ""
    yield from _sums(workload)
    if workload.at_least:
        yield "> at least: transcripts are a lower bound, and sums leave out what has no price."
    for line in unpriced(workload.unpriced_tokens):
        yield from wrapped(line)
    if period.undated:
        yield f"left out: {plural(period.undated, 'answer')} without a date"
    yield from not_read(advice.not_read)
    yield ""
    yield from _verdict(advice, workload)


def _sums(workload: Workload) -> list[str]:
    least = workload.at_least
    rows: list[tuple[str, ...]] = [("", "input", "output", "cached", "written", "list price")]
    for label, tokens, price in (
        ("measured", workload.total, workload.list_price_usd),
        ("a day", workload.per_day, workload.list_price_usd_day),
        ("a month", workload.per_month, workload.list_price_usd_month),
    ):
        if tokens is not None:
            rows.append((label, *_counts(tokens, least=least), usd_about(price, at_least=least)))
    return table(rows, right=range(1, 6), head=True)


def _counts(tokens: Tokens, *, least: bool) -> tuple[str, ...]:
    output = short(round(tokens.output))
    return (
        short(round(tokens.input)),
        f">{output}" if least and tokens.output else output,
        short(round(tokens.cache_read)),
        short(round(tokens.cache_write)),
    )


def _verdict(advice: Advice, workload: Workload) -> Iterator[str]:
    if advice.no_verdict is not None:
        yield from wrapped(_WHY_NOT[advice.no_verdict])
    elif advice.verdict is not None:
        price = usd_about(workload.list_price_usd_month, at_least=workload.at_least)
        known = ", as far as known" if workload.at_least else ""
        text = f"{advice.verdict.name}{known}: {price} a month at list price"
        yield from wrapped(text, " " * _LABEL, "workload".ljust(_LABEL))
        threshold = advice.verdict.from_usd_month
        begins = f"from {usd_about(threshold)} a month: " if threshold else ""
        yield from wrapped(f"{begins}{advice.verdict.reason}", " " * _LABEL)


def _plans(advice: Advice, workload: Workload) -> Iterator[str]:
    key, least = workload.list_price_usd_month, workload.at_least
    yield f"{'plan and API key'.ljust(_NAME)}{'a month'.rjust(_PRICE)}{'API credit'.rjust(_PRICE)}  pays for itself"
    yield f"{'API key alone'.ljust(_NAME)}{usd_about(key, at_least=least).rjust(_PRICE)}"
    for each in advice.options:
        name = clip(each.name, _NAME - 1)
        prices = (usd(price).rjust(_PRICE) for price in (each.price_usd_month, each.api_credit_usd))
        indent = " " * (_NAME + 2 * _PRICE + 2)
        yield from wrapped(_pays(each, least=least), indent, f"{name.ljust(_NAME)}{''.join(prices)}  ")


def _pays(each: Option, *, least: bool) -> str:
    if each.price_usd_month is None:
        return "unknown"
    if not each.can_pay:
        # A lower bound of the key's cost may be below the plan's price, and the cost itself above it.
        return f"{'unsure' if least else 'not yet'}: from {usd(each.price_usd_month)} a month"
    if each.pays_from_share == 0:
        return "yes, with its API credit alone"
    share = 100 * (each.pays_from_share or 0.0)
    return f"if it covers {'at most ' if least else ''}{max(share, 1):.0f} % of this work"


def _cheapest(advice: Advice) -> Iterator[str]:
    names = {each.id: each.name for each in advice.options}
    least = advice.workload is not None and advice.workload.at_least
    certain = "as far as known" if least else "for certain"
    for label, mix in ((certain, advice.cheapest_certain), ("at best", advice.cheapest_possible)):
        if mix is not None:
            yield from wrapped(_mix(mix, names, least=least), " " * 27, f"cheapest, {label.ljust(17)}")
    yield from wrapped(
        "The first line counts only the API credit of a plan; the second assumes that the plan covers all of the work."
        " Plans of unknown price are left out.",
    )


def _mix(mix: Mix, names: dict[str, str], *, least: bool) -> str:
    if mix.plan is None:
        return f"the API key alone, {usd_about(mix.usd_month, at_least=least)} a month"
    return f"{names[mix.plan]}, with an API key for the rest, {usd_about(mix.usd_month)} a month"


def _changes(advice: Advice) -> Iterator[str]:
    yield "what would change it, at list price a month"
    if advice.caching is not None:
        yield from _caching(advice.caching)
    for each in advice.models:
        yield from wrapped(
            f"{each.model}: {_on_model(each)}", " " * _LABEL, f"  {'all on'.ljust(_LABEL - 2)}"
        )
    if advice.lean is not None:
        yield from _lean(advice.lean)


def _caching(found: Caching) -> Iterator[str]:
    saved = found.plain_usd_month - found.cached_usd_month
    word = "saves" if saved >= 0 else "costs"
    text = (
        f"{word} about {usd_about(abs(saved))}: {usd_about(found.cached_usd_month)} with the cache,"
        f" {usd_about(found.plain_usd_month)} without; {100 * found.read_share:.0f} % of the input is read from it"
    )
    if found.tiers_ignored:
        text += "; at the price of short requests"
    yield from wrapped(text, " " * _LABEL, f"  {'the cache'.ljust(_LABEL - 2)}")


def _on_model(found: OtherModel) -> str:
    low, high = usd_about(found.least_usd_month), usd_about(found.most_usd_month)
    return low if low == high else f"{low} to {high}, depending on the length of requests"


def _lean(found: Lean) -> Iterator[str]:
    own, other = found.own_sent_per_answer, found.other_sent_per_answer
    parts = [
        f"{whose} sent {short(round(tokens))} tokens an answer"
        for whose, tokens in (("oneseat's own runs", own), ("the CLI by itself", other))
        if tokens is not None
    ]
    parts += [
        f"measured: {each.lean_bytes:,} bytes with oneseat, {each.usual_bytes:,} with the CLI's defaults ({each.name})"
        for each in found.measured
    ]
    yield from wrapped("; ".join(parts), " " * _LABEL, f"  {'lean requests'.ljust(_LABEL - 2)} ")


def _notice(text: str, status: str) -> str:
    return text if status == "active" else f"Not in force ({status}): {text}"


def _sources(advice: Advice) -> Iterator[str]:
    yield "sources"
    merged: dict[tuple[str, str], list[str]] = {}
    for each in advice.sources:
        merged.setdefault((each.source, each.as_of), []).append(each.what)
    for (source, as_of), whats in merged.items():
        yield from wrapped(f"{', '.join(whats)}, as of {as_of}", "    ", "  - ")
        yield from wrapped(source, "    ", "    ")
