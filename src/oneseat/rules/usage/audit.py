"""Compares receipts, transcripts and limits, and reports discrepancies with the numbers."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

from oneseat.contract.budgets import Price
from oneseat.contract.reports.audit import Finding, LimitFact, RunFact, SessionDeps, SessionFact

from .advice import cost
from .sums import Part, Sum, date_text

PriceOf = Callable[[str, str | None], Price | None]

#: Differences in cost up to this share come from rounding or a price table that is a few days older.
COST_SHARE = 0.05
#: A smaller change of a window's share is the vendor's rounding.
MOVED = 0.01
#: Shares are reported late, so usage up to this long before explains a change.
SLACK_MS = 600_000
#: The reported reset time of one window varies by up to two seconds.
_SAME_WINDOW_MS = 60_000
_DAY_MS = 86_400_000
#: The CLI deletes transcripts of this age.
_CLEANED_MS = 30 * _DAY_MS
_SHOWN = 5


def reconcile(
    facts: SessionDeps,
    others: Sequence[tuple[int, Part]],
    transcripts: frozenset[str],
    price_of: PriceOf,
    now: int,
) -> tuple[Finding, ...]:
    """All findings, problems first.

    ``others`` are the answers in transcripts that belong to no run of ours, with their times; ``transcripts`` are the ids of the
    conversations whose transcripts exist; ``now`` is in milliseconds since 1970.
    """
    found = [
        *_receipts(facts.runs),
        *_costs(facts.runs, price_of),
        *_limits(facts, [at for at, _ in others]),
        *_gone(facts.sessions, transcripts, now),
        *_not_ours([part for _, part in others]),
        *_unpriced(facts.runs, price_of),
    ]
    return tuple(sorted(found, key=lambda each: not each.wrong))


def _receipts(runs: Sequence[RunFact]) -> Iterator[Finding]:
    misbilled = [run for run in runs if run.verdict == "misbilled"]
    if misbilled:
        yield Finding(
            kind="misbilled",
            wrong=True,
            what=f"{_runs(misbilled)} paid by a wallet other than planned",
            numbers={"runs": len(misbilled), "charged_usd": _known_sum(run.charged for run in misbilled)},
            why="the CLI or the server named another payer, or extra usage, after the prompt was sent",
            action=f"see who paid: `oneseat show {misbilled[-1].id}`; then `oneseat doctor`",
            runs=_ids(misbilled),
        )
    lost = [
        run for run in runs if run.ended is not None and run.tokens is None and run.verdict != "nothing_sent"
    ]
    if lost:
        yield Finding(
            kind="unknown_use",
            wrong=True,
            what=f"{_runs(lost)} with no known end: their usage is in no total",
            numbers={"runs": len(lost)},
            why="the process was killed, or the CLI or its connection ended before it said what the run used",
            action=f"see how far the last one got: `oneseat show {lost[-1].id}`; a transcript may still count its answers",
            runs=_ids(lost),
        )
    unverified = [run for run in runs if run.verdict == "unverified" and run not in lost]
    if unverified:
        yield Finding(
            kind="unverified",
            wrong=True,
            what=f"{_runs(unverified)} whose payer was never confirmed",
            numbers={"runs": len(unverified), "list_price_usd": _known_sum(run.listed for run in unverified)},
            why="the run ended before the CLI or the server confirmed the wallet",
            action=f"see what is known: `oneseat show {unverified[-1].id}`; the vendor's own page shows charges",
            runs=_ids(unverified),
        )


def _costs(runs: Sequence[RunFact], price_of: PriceOf) -> Iterator[Finding]:
    by_model: dict[str, list[tuple[RunFact, float, float]]] = {}
    for run in runs:
        price = price_of(run.model, date_text(run.began // _DAY_MS))
        if price is None or run.tokens is None or run.listed is None or not run.comparable:
            continue
        rates = (price.rates, *(tier.rates for tier in price.tiers))
        costs = [cost(run.tokens, each) for each in rates]
        by_model.setdefault(run.model, []).append((run, min(costs), max(costs)))
    for model, known in sorted(by_model.items()):
        said = sum(run.listed or 0.0 for run, _, _ in known)
        low, high = sum(least for _, least, _ in known), sum(most for _, _, most in known)
        if low * (1 - COST_SHARE) <= said <= high * (1 + COST_SHARE):
            continue
        listed: list[RunFact] = [run for run, _, _ in known]
        yield Finding(
            kind="cost_differs",
            wrong=True,
            what=f"the CLI and the price table disagree on {model}",
            numbers={
                "model": model,
                "runs": len(known),
                "cli_usd": said,
                "table_usd": low,
                "table_most_usd": high,
            },
            why="one of the two tables is older, another rate was used (fast, a region), "
            "or the CLI also used another model for small tasks",
            action="compare with the vendor's page of prices; a newer oneseat may bring a newer table",
            runs=_ids(listed),
        )


def _limits(facts: SessionDeps, answers: Sequence[int]) -> Iterator[Finding]:
    moments = sorted(answers)
    # Reports of two sources may differ about one window, so they are not compared with each other.
    windows: dict[tuple[str, str], list[LimitFact]] = {}
    for reading in sorted(facts.limits, key=lambda one: (one.at, one.used)):
        windows.setdefault((reading.window, reading.source), []).append(reading)
    for (window, source), readings in sorted(windows.items()):
        moved = [
            (before, after)
            for before, after in pairwise(readings)
            if after.at > before.at
            and abs(after.resets - before.resets) < _SAME_WINDOW_MS
            and after.used - before.used >= MOVED - 1e-9
            and not _explained(before.at - SLACK_MS, after.at, facts.runs, moments)
        ]
        if moved:
            yield _moved(window, source, moved)


def _explained(since: int, until: int, runs: Sequence[RunFact], moments: Sequence[int]) -> bool:
    """Whether known usage explains a change between two times, both in milliseconds since 1970."""
    place = bisect_right(moments, until)
    return (place > 0 and moments[place - 1] >= since) or any(
        run.verdict != "nothing_sent" and run.began <= until and (run.ended is None or run.ended >= since)
        for run in runs
    )


def _moved(window: str, source: str, moved: Sequence[tuple[LimitFact, LimitFact]]) -> Finding:
    share = sum(after.used - before.used for before, after in moved)
    return Finding(
        kind="limit_moved",
        wrong=True,
        what=f"the window {window} filled by {100 * share:.0f} % with no use on this machine",
        numbers={
            "window": window,
            "source": source,
            "times": len(moved),
            "used_from": moved[0][0].used,
            "used_to": moved[-1][1].used,
            "first_ms": moved[0][0].at,
            "last_ms": moved[-1][1].at,
        },
        why="the plan is used elsewhere too: another device, the web or desktop app, transcripts in another folder,"
        " or somebody else with this login",
        action="if that was not you, end the other sessions in the account's settings; "
        "otherwise list all folders in CLAUDE_CONFIG_DIR",
    )


def _gone(sessions: Sequence[SessionFact], transcripts: frozenset[str], now: int) -> Iterator[Finding]:
    gone = [each for each in sessions if each.id not in transcripts and now - each.used < _CLEANED_MS]
    if gone:
        names = ", ".join(each.project for each in gone[:_SHOWN])
        yield Finding(
            kind="transcript_gone",
            wrong=True,
            what=f"{len(gone)} conversation{'' if len(gone) == 1 else 's'} without a transcript: {names}",
            numbers={"sessions": len(gone), "first_session": gone[0].id},
            why="it was deleted or moved, or the CLI uses a folder that is not read here",
            action="the next run starts a new one automatically; `oneseat sessions list` shows them",
        )


def _not_ours(parts: Sequence[Part]) -> Iterator[Finding]:
    total = Sum()
    for part in parts:
        total.add(part)
    if total.answers:
        yield Finding(
            kind="not_ours",
            wrong=False,
            what=f"{total.answers:,} answer{'' if total.answers == 1 else 's'} that did not come from a oneseat run",
            numbers={
                "answers": total.answers,
                "list_price_usd": total.listed,
                "unpriced_tokens": sum(total.unpriced.values()),
            },
            why="the official CLI was used directly, which is normal; a transcript does not say who paid",
            action="see them: `oneseat usage sessions --wallet unknown`",
        )


def _unpriced(runs: Sequence[RunFact], price_of: PriceOf) -> Iterator[Finding]:
    unknown = sorted(
        {run.model for run in runs if run.tokens and sum(run.tokens) and price_of(run.model, None) is None}
    )
    if unknown:
        yield Finding(
            kind="unpriced",
            wrong=False,
            what=f"no list price is known for {', '.join(name or 'a model without a name' for name in unknown)}",
            numbers={"models": len(unknown)},
            why="the model is newer than the price table, or has another name",
            action="the CLI's cost cannot be checked; a newer oneseat may know the price",
        )


def _runs(runs: Sequence[RunFact]) -> str:
    return f"{len(runs):,} run{'' if len(runs) == 1 else 's'}"


def _ids(runs: Sequence[RunFact]) -> tuple[str, ...]:
    return tuple(run.id for run in runs[-_SHOWN:])


def _known_sum(values: Iterator[float | None]) -> float | None:
    """The sum of the known values; ``None`` when there are none."""
    known = [value for value in values if value is not None]
    return sum(known) if known else None
