"""Advice as a person reads it, within 80 columns, and no more exact than it is."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from oneseat.contract.reports.advice import Advice, Caching, Lean, Mix, Option, OtherModel, Tokens, Workload

from .usage_text import NOTES, clip, short

_WIDTH = 80
_LABEL = 14
#: The columns of a plan's name and of its prices.
_NAME, _PRICE = 21, 12
_WHY_NOT = {
    "nothing_used": "No use was found on these days, so there is nothing to advise on.",
    "too_little": "Too little was measured to speak of a month: no verdict. The assumptions say from when on there is one.",
    "no_price": "No model that was used has a known price, so there is no verdict.",
}


def advice_text(advice: Advice) -> str:
    """The whole advice."""
    lines = list(_measured(advice))
    if advice.workload is not None and advice.no_verdict is None:
        lines += ["", *_plans(advice, advice.workload), "", *_cheapest(advice), "", *_changes(advice)]
    lines += ["", *_listed("assumptions", advice.assumptions)]
    lines += ["", *_listed("notes", (_notice(each.text, each.status) for each in advice.notices))]
    lines += ["", *_sources(advice)]
    return "\n".join(lines)


def about(usd: float | None, *, at_least: bool = False) -> str:
    """Money that was multiplied: two digits, as more would be made up. What is not known is said to be so."""
    if usd is None:
        return "unknown"
    sign = ">" if at_least else ""
    if usd < 0.005:
        return f"{sign}$0" if usd == 0 else "<$0.01"
    if usd < 10:
        return f"{sign}${usd:.2f}" if usd < 1 else f"{sign}${usd:.1f}"
    digits = len(str(int(usd))) - 2
    return f"{sign}${round(usd, -digits):,.0f}"


def _measured(advice: Advice) -> Iterator[str]:
    period, workload = advice.period, advice.workload
    if period is None or workload is None:
        yield _WHY_NOT["nothing_used"]
        yield from _not_read(advice)
        return
    yield from _wrapped(
        f"Measured {period.first_day} to {period.last_day} ({period.time_zone}), {period.days} days, {period.days_with_use}"
        f" with use; {workload.answers:,} answers, {workload.own_answers:,} of them to oneseat's own runs"
    )
    yield ""
    yield _row("", "input", "output", "cached", "written", "list price")
    least = workload.at_least
    rows = [
        ("measured", workload.total, workload.list_price_usd),
        ("a day", workload.per_day, workload.list_price_usd_day),
    ]
    if workload.per_month is not None:
        rows.append(("a month", workload.per_month, workload.list_price_usd_month))
    for label, tokens, usd in rows:
        yield _row(label, *_counts(tokens, least=least), about(usd, at_least=least))
    if least:
        yield "> at least: transcripts are a lower bound, and what has no price is in no sum."
    for model, count in workload.unpriced_tokens.items():
        # Of a run that was cut off, the tokens are what is not known.
        what = f"no price known: {clip(model) or 'unknown'} ({short(count)} tokens)"
        yield f"? {what}" if count else f"? tokens not known: {clip(model) or 'unknown'}"
    if period.undated:
        yield f"left out: {period.undated:,} answers without a date"
    yield from _not_read(advice)
    yield ""
    yield from _verdict(advice, workload)


def _counts(tokens: Tokens, *, least: bool) -> tuple[str, ...]:
    output = short(round(tokens.output))
    return (
        short(round(tokens.input)),
        f">{output}" if least and tokens.output else output,
        short(round(tokens.cache_read)),
        short(round(tokens.cache_write)),
    )


def _row(label: str, *cells: str) -> str:
    return label.ljust(_LABEL) + "".join(cell.rjust(11) for cell in cells)


def _not_read(advice: Advice) -> Iterator[str]:
    for reason, count in advice.not_read.items():
        yield f"not read: {NOTES.get(reason, reason)}" + (f" ({count:,} times)" if count > 1 else "")


def _verdict(advice: Advice, workload: Workload) -> Iterator[str]:
    if advice.no_verdict is not None:
        text = _WHY_NOT[advice.no_verdict]
        yield from _wrapped(text)
    elif advice.verdict is not None:
        usd = about(workload.list_price_usd_month, at_least=workload.at_least)
        known = ", as far as known" if workload.at_least else ""
        text = f"{advice.verdict.name}{known}: {usd} a month at list price"
        yield from _wrapped(text, " " * _LABEL, "workload".ljust(_LABEL))
        threshold = advice.verdict.from_usd_month
        begins = f"from {about(threshold)} a month on: " if threshold else ""
        yield from _wrapped(f"{begins}{advice.verdict.reason}", " " * _LABEL)


def _plans(advice: Advice, workload: Workload) -> Iterator[str]:
    key, least = workload.list_price_usd_month, workload.at_least
    yield f"{'beside the key'.ljust(_NAME)}{'a month'.rjust(_PRICE)}{'API credit'.rjust(_PRICE)}  pays for itself"
    yield f"{'the key alone'.ljust(_NAME)}{about(key, at_least=least).rjust(_PRICE)}"
    for each in advice.options:
        name = each.name if len(each.name) < _NAME else f"{each.name[: _NAME - 2]}…"
        prices = (_priced(usd).rjust(_PRICE) for usd in (each.price_usd_month, each.api_credit_usd))
        indent = " " * (_NAME + 2 * _PRICE + 2)
        yield from _wrapped(_pays(each, least=least), indent, f"{name.ljust(_NAME)}{''.join(prices)}  ")


def _priced(usd: float | None) -> str:
    """A price as it was published."""
    return "unknown" if usd is None else f"${usd:,.0f}" if usd == int(usd) else f"${usd:,.2f}"


def _pays(each: Option, *, least: bool) -> str:
    if each.price_usd_month is None:
        return "unknown"
    if not each.can_pay:
        # Where the key costs at least so much, it may cost enough.
        return f"{'unsure' if least else 'not yet'}: from {_priced(each.price_usd_month)} a month on"
    if each.pays_from_share == 0:
        return "yes: by its API credit alone"
    share = 100 * (each.pays_from_share or 0.0)
    return f"if it holds {'at most ' if least else ''}{max(share, 1):.0f} % of this work"


def _cheapest(advice: Advice) -> Iterator[str]:
    names = {each.id: each.name for each in advice.options}
    least = advice.workload is not None and advice.workload.at_least
    certain = "as far as known" if least else "for certain"
    for label, mix in ((certain, advice.cheapest_certain), ("if windows hold", advice.cheapest_possible)):
        if mix is not None:
            yield from _wrapped(_mix(mix, names, least=least), " " * 27, f"cheapest, {label.ljust(17)}")
    yield from _wrapped(
        "The first counts nothing of a plan but its API credit; in the second its windows hold all of the work."
        " Plans of unknown price are in neither.",
    )


def _mix(mix: Mix, names: dict[str, str], *, least: bool) -> str:
    if mix.plan is None:
        return f"the key alone, {about(mix.usd_month, at_least=least)} a month"
    return f"{names[mix.plan]}, with the key for the rest, {about(mix.usd_month)} a month"


def _changes(advice: Advice) -> Iterator[str]:
    yield "what would change it, at list price a month"
    if advice.caching is not None:
        yield from _caching(advice.caching)
    for each in advice.models:
        yield from _wrapped(
            f"{each.model}: {_on_model(each)}", " " * _LABEL, f"  {'all on'.ljust(_LABEL - 2)}"
        )
    if advice.lean is not None:
        yield from _lean(advice.lean)


def _caching(found: Caching) -> Iterator[str]:
    saved = found.plain_usd_month - found.cached_usd_month
    word = "saves" if saved >= 0 else "costs"
    text = (
        f"{word} about {about(abs(saved))}: what was cached and written is {about(found.cached_usd_month)},"
        f" and {about(found.plain_usd_month)} as plain input; {100 * found.read_share:.0f} % of what is sent is read from it"
    )
    if found.tiers_ignored:
        text += "; at the prices of short requests"
    yield from _wrapped(text, " " * _LABEL, f"  {'the cache'.ljust(_LABEL - 2)}")


def _on_model(found: OtherModel) -> str:
    low, high = about(found.least_usd_month), about(found.most_usd_month)
    return low if low == high else f"{low} to {high}, by how long requests are"


def _lean(found: Lean) -> Iterator[str]:
    own, other = found.own_sent_per_answer, found.other_sent_per_answer
    sent = []
    if own is not None:
        sent.append(f"oneseat's own runs sent {short(round(own))} tokens for an answer")
    if other is not None:
        sent.append(
            f"the CLI by itself {short(round(other))}"
            if sent
            else f"the CLI by itself sent {short(round(other))} tokens for an answer"
        )
    parts = [", ".join(sent)] if sent else []
    parts += [
        f"measured once: {each.lean_bytes:,} bytes by oneseat and {each.usual_bytes:,} by the CLI's defaults ({each.name})"
        for each in found.measured
    ]
    yield from _wrapped("; ".join(parts), " " * _LABEL, f"  {'lean requests'.ljust(_LABEL - 2)} ")


def _notice(text: str, status: str) -> str:
    return text if status == "active" else f"Not in force ({status}): {text}"


def _sources(advice: Advice) -> Iterator[str]:
    yield "sources"
    merged: dict[tuple[str, str], list[str]] = {}
    for each in advice.sources:
        merged.setdefault((each.source, each.as_of), []).append(each.what)
    for (source, as_of), whats in merged.items():
        yield from _wrapped(f"{', '.join(whats)}, as of {as_of}", "    ", "  - ")
        yield from _wrapped(source, "    ", "    ")


def _listed(head: str, lines: Iterator[str] | tuple[str, ...]) -> Iterator[str]:
    yield head
    for line in lines:
        yield from _wrapped(line, "    ", "  - ")


def _wrapped(text: str, indent: str = "", first: str | None = None) -> list[str]:
    return textwrap.wrap(
        text,
        _WIDTH,
        initial_indent=indent if first is None else first,
        subsequent_indent=indent,
        break_on_hyphens=False,
    )
