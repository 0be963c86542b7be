"""What was used, from our own runs and the official CLI's transcripts. Loads next to nothing as long as nothing has changed."""

from __future__ import annotations

import os
import time

from oneseat import stores
from oneseat._util.files import read_regular
from oneseat.rules.usage import sums as rules
from oneseat.rules.usage.sums import Block, Filter, Sum, date_text
from oneseat.stores.transcripts.index import Index, IndexSpec, open_if_fresh, refresh
from oneseat.stores.transcripts.schema import UnusableIndexError
from oneseat.stores.transcripts.sqlite import sqlite3
from oneseat.stores.transcripts.walk import roots_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import Any

    from oneseat.contract.budgets import Price
    from oneseat.contract.reports.usage import UsageReport, UsageSum
    from oneseat.installation import Installation
    from oneseat.stores.transcripts.sums import OffsetAt, PriceOf

__all__ = [
    "PERIODS",
    "VIEWS",
    "Block",
    "Filter",
    "Report",
    "Sum",
    "date_text",
    "read_text",
    "read_usage",
    "usage_report",
]

#: Views of whose runs they were, by the ledger's name for it.
_OWNERS = {"keys": "key_name", "roles": "role", "clients": "client"}
VIEWS = ("daily", "weekly", "monthly", "sessions", "projects", "models", "wallets", *_OWNERS, "blocks")
_STORES = os.path.dirname(stores.__file__)
_PRICES = f"{_STORES}{os.sep}price_tables"
_PACK = f"{_STORES}{os.sep}policy{os.sep}policy_pack.json"
_DAY_MS = 86_400_000
_EPOCH = 719_163  # the number of 1970-01-01 where days are counted from the year 1
PERIODS = ("daily", "weekly", "monthly")
#: Views that do not tell projects apart.
_OF_ALL = (*PERIODS, "models", "wallets")


def _keys() -> dict[str, Callable[[rules.Part], rules.Key]]:
    return {
        "daily": lambda part: part.day,
        "weekly": lambda part: rules.week_of(part.day),
        "monthly": lambda part: rules.month_of(part.day),
        "sessions": lambda part: part.session,
        "projects": lambda part: part.project,
        "models": lambda part: part.model,
        "wallets": lambda part: part.wallet,
        **dict.fromkeys(_OWNERS, lambda part: part.session),
    }


_KEYS = _keys()


class Report:
    """An answer: ``rows`` are the groups of the view, in order, ``total`` all of them together.

    A row's key is a day (the first of its week or month), a project's directory, a model, a wallet or a conversation; the view
    ``blocks`` has ``blocks`` instead. ``first`` and ``last`` are the days with anything in them, ``offset_at`` is how far
    the zone is ahead of UTC. ``notes`` count what could not be read.
    """

    def __init__(
        self, view: str, zone: str, offset_at: OffsetAt, index: Index, parts: list[rules.Part]
    ) -> None:
        self.view = view
        self.zone = zone
        self.offset_at = offset_at
        self.notes = index.notes()
        self.total = rules.Sum()
        days = [part.day for part in parts if part.day is not None]
        self.first = min(days, default=None)
        self.last = max(days, default=None)
        self.rows: list[tuple[rules.Key, rules.Sum]] = []
        self.blocks: list[rules.Block] = []

    def label(self, key: rules.Key) -> str:
        """The name of a row: a date, a directory, a model."""
        if self.view in PERIODS:
            return (
                "no date" if key is None else rules.date_text(int(key))[: 7 if self.view == "monthly" else 10]
            )
        return str(key) or ("none" if self.view in _OWNERS else "unknown")


def read_usage(
    here: Installation,
    view: str = "daily",
    wanted: rules.Filter | None = None,
    zone: str | None = None,
) -> Report:
    """What was used, in the time zone ``zone`` (an IANA name), by default this machine's.

    Raises ``UsageError``: ``usage.unknown_time_zone``, ``usage.index_*`` and those
    of the folders.
    """
    index, name, offset_at = opened_index(here, zone)
    try:
        return _report(view, wanted or rules.Filter(), index, (name, offset_at), _prices_of(here))
    finally:
        index.close()


def usage_report(found: Report) -> UsageReport:
    """The report that programs get: the same numbers with their types, which takes longer to load than most sums take."""
    from oneseat.contract.reports.usage import UsageReport  # noqa: PLC0415 - see above

    rows = [_sum(each, key=found.label(key)) for key, each in found.rows]
    rows += [_block(each) for each in found.blocks]
    return UsageReport(
        view=found.view,
        time_zone=found.zone,
        first_day=None if found.first is None else rules.date_text(found.first),
        last_day=None if found.last is None else rules.date_text(found.last),
        rows=tuple(rows),
        total=_sum(found.total),
        not_read=found.notes,
    )


def read_text(here: Installation, view: str, make: Callable[[Report], str], version: str) -> str:
    """What ``make`` makes of a view of everything; kept in the index, where the same ``version`` of it finds it the next time.

    Raises like ``read_usage``.
    """
    index, name, offset_at = opened_index(here)
    try:
        return index.text(
            f"{view} {version}",
            lambda: make(_report(view, rules.Filter(), index, (name, offset_at), _prices_of(here))),
        )
    finally:
        index.close()


def read_parts(here: Installation, zone: str | None = None) -> tuple[list[rules.Part], dict[str, int], str]:
    """Everything that was used, simulated runs aside; what could not be read, by reason; the zone of the days.

    Raises like ``read_usage``.
    """
    index, name, offset_at = opened_index(here, zone)
    try:
        everything = rules.Filter()
        parts = [
            part
            for _, part in _parts("daily", index, offset_at, _prices_of(here))
            if everything.takes(part, {})
        ]
        return parts, index.notes(), name
    finally:
        index.close()


def read_others(
    here: Installation,
) -> tuple[list[tuple[int, rules.Part]], frozenset[str], dict[str, int]]:
    """The answers that no run of ours asked for, with their moments; the names of the transcripts; what could not be read.

    Raises like ``read_usage``.
    """
    index, _, offset_at = opened_index(here)
    try:
        others = [
            (at, part)
            for at, part in _parts("blocks", index, offset_at, _prices_of(here))
            if part.source != "run"
        ]
        return others, index.transcripts(), index.notes()
    finally:
        index.close()


def opened_index(here: Installation, zone: str | None = None) -> tuple[Index, str, OffsetAt]:
    """The index, up to date and to be closed; the name of the zone; how far that is ahead of UTC. Raises like ``read_usage``."""
    name, offset_at = _zone(zone, here.env)
    spec = _spec(here, name)
    index, walk = open_if_fresh(spec)
    if index is None:
        try:
            os.makedirs(here.data_dir, mode=0o700, exist_ok=True)
            index = refresh(spec, walk, offset_at, _prices_of(here))
        except (UnusableIndexError, sqlite3.Error, OSError) as error:
            from oneseat.stores.transcripts.failures import translated  # noqa: PLC0415 - errors take 25 ms to import

            raise translated(spec.path, error) from error
    return index, name, offset_at


def _block(block: rules.Block) -> UsageSum:
    from oneseat._util.time import iso  # noqa: PLC0415 - as `usage_report`

    begin, end = iso(block.begin // 1000), iso(block.end // 1000)
    return _sum(block.sum, key=begin, ends_at=end, end_reported=block.reported)


def _sum(found: rules.Sum, **key: Any) -> UsageSum:
    from oneseat.contract.reports.usage import UsageSum  # noqa: PLC0415 - as `usage_report`

    sent, output, read, five, hour = found.tokens
    return UsageSum(
        **key,
        answers=found.answers,
        input_tokens=sent,
        output_tokens=output,
        cache_read_tokens=read,
        cache_write_5m_tokens=five,
        cache_write_1h_tokens=hour,
        at_least=found.at_least,
        list_price_usd=found.listed,
        unpriced_tokens=found.unpriced,
        charged_usd=found.charged,
        charge_known_answers=found.settled,
        saved_usd=found.saved,
        special_rate_answers=found.special,
        web_searches=found.searches,
        unpriced_web_searches=found.unpriced_searches,
    )


def _report(
    view: str, wanted: rules.Filter, index: Index, zoned: tuple[str, OffsetAt], price_of: PriceOf
) -> Report:
    zone, offset_at = zoned
    by_project = view not in _OF_ALL or wanted.project is not None
    found = _parts(view, index, offset_at, price_of, by_project=by_project)
    folders = index.folders() if wanted.project is not None else {}
    timed = [(at, part) for at, part in found if wanted.takes(part, folders)]
    parts = [part for _, part in timed]
    report = Report(view, zone, offset_at, index, parts)
    if view == "blocks":
        report.blocks = rules.blocks(timed, index.resets("five_hour"))
        report.total = rules.total(block.sum for block in report.blocks)
        return report
    sums = rules.grouped(parts, _KEYS[view])
    report.total = rules.total(sums.values())
    if view in PERIODS:
        report.rows = sorted(sums.items(), key=lambda row: (row[0] is None, row[0]))
    else:
        report.rows = sorted(
            sums.items(), key=lambda row: (-(row[1].listed or 0.0), -sum(row[1].tokens), str(row[0]))
        )
    return report


def _parts(
    view: str, index: Index, offset_at: OffsetAt, price_of: PriceOf, *, by_project: bool = True
) -> Iterator[tuple[int, rules.Part]]:
    """The parts that a view is made of, each with its moment where the view is about moments."""
    if view in _OWNERS:
        yield from _owned(view, index, offset_at, price_of)
        return
    places = index.directories()
    if view not in ("sessions", "blocks"):
        for row in index.days(by_project=by_project):
            day, source, wallet, project, model, *rest = row
            yield 0, _part((day, source, wallet, places.get(project, project), model, ""), rest)
        return
    from oneseat.stores.transcripts.sums import Sums  # noqa: PLC0415 - most questions need none

    sums = Sums(index.db, offset_at, price_of)
    for row in sums.by_session() if view == "sessions" else sums.by_moment():
        day, source, key, wallet, project, model, *rest = row
        at = key if view == "blocks" else 0
        if view == "blocks":
            day = (key + offset_at(key // 1000) * 1000) // _DAY_MS
        yield at, _part((day, source, wallet, places.get(project, project), model, str(key)), rest)


def _part(named: tuple[int | None, str, str, str, str, str], amounts: list[Any]) -> rules.Part:
    """A part, with the columns of ``days`` that follow the model."""
    count, given, output, read, five, hour, listed, charged, special, searches, unpriced = amounts
    tokens = (given, output, read, five, hour)
    return rules.Part(named, count, tokens, listed, charged, special, searches, unpriced)


def _owned(
    view: str, index: Index, offset_at: OffsetAt, price_of: PriceOf
) -> Iterator[tuple[int, rules.Part]]:
    """Our runs grouped by key, role or client; transcript usage has no owner."""
    from oneseat.stores.transcripts.runs import owners  # noqa: PLC0415 - only these views need it
    from oneseat.stores.transcripts.sums import Sums  # noqa: PLC0415 - as above

    for part in (part for _, part in _parts("daily", index, offset_at, price_of) if part.source != "run"):
        yield 0, part
    whose = owners(index.ledger, _OWNERS[view])
    for day, source, run, wallet, project, model, *rest in Sums(index.db, offset_at, price_of).by_run():
        yield 0, _part((day, source, wallet, project, model, whose.get(run, "")), rest)


def _spec(here: Installation, zone: str) -> IndexSpec:
    env, data = here.env, here.data_dir
    home = env.get("HOME") or os.path.expanduser("~")
    roots = roots_of(home, env.get("CLAUDE_CONFIG_DIR"), env.get("XDG_CONFIG_HOME"))
    return IndexSpec(
        f"{data}{os.sep}usage.db", roots, f"{data}{os.sep}runs.db", zone, _prices(here.config_dir)
    )


def _prices(folder: str) -> str:
    """Sizes and times of every file with prices: as long as they are the same, no price has changed."""
    with os.scandir(_PRICES) as tables:
        looks = [(table.name, table.stat()) for table in tables]
    for name, pack in (("pack", _PACK), ("own pack", f"{folder}{os.sep}policy-pack.json")):
        if os.path.exists(pack):
            looks.append((name, os.stat(pack)))
    try:
        # Most files hold no price, and another setting changes none.
        own = f"{folder}{os.sep}oneseat.toml"
        if b"prices" in read_regular(own):
            looks.append(("own", os.stat(own)))
    except OSError:
        pass  # without one there are no own prices; whoever reads the settings says what is wrong with the file
    return " ".join(sorted(f"{name}:{found.st_size}:{found.st_mtime_ns}" for name, found in looks))


def _zone(name: str | None, env: Mapping[str, str]) -> tuple[str, OffsetAt]:
    if name is None:
        return _local_zone(env), lambda second: time.localtime(second).tm_gmtoff
    from datetime import UTC, datetime  # noqa: PLC0415 - only where another zone is asked for
    from zoneinfo import ZoneInfo  # noqa: PLC0415 - as above

    try:
        zone = ZoneInfo(name)
    except (OSError, ValueError, KeyError) as error:
        raise _no_such_zone(name) from error

    def offset_at(second: int) -> int:
        ahead = datetime.fromtimestamp(second, UTC).astimezone(zone).utcoffset()
        return round(ahead.total_seconds()) if ahead is not None else 0

    return name, offset_at


def _local_zone(env: Mapping[str, str]) -> str:
    """The name of this machine's zone, so that the days of another one are not taken for its own."""
    if env.get("TZ"):
        return env["TZ"]
    try:
        link = os.readlink("/etc/localtime")
    except OSError:
        return "/".join(time.tzname)
    return link.partition("zoneinfo/")[2] or link


def _no_such_zone(name: str) -> Exception:
    from difflib import get_close_matches  # noqa: PLC0415 - only a slip of the pen needs it
    from zoneinfo import available_timezones  # noqa: PLC0415 - as above

    from oneseat.contract.errors import ErrorInfo, UsageError  # noqa: PLC0415 - as above

    near = get_close_matches(name, available_timezones(), n=1)
    return UsageError(
        ErrorInfo(
            code="usage.unknown_time_zone",
            message=f"Unknown time zone: `{name[:80]}`\n  it is not in this machine's list of IANA names",
            hint=f"Did you mean this: `--tz {near[0]}`"
            if near
            else "Name one: `oneseat usage --tz Europe/Madrid`",
        )
    )


def _prices_of(here: Installation) -> PriceOf:
    def prices_of(model: str) -> list[tuple[int, Price | None]]:
        from datetime import date  # noqa: PLC0415 - a model is looked up once; the index keeps its prices

        from .prices import price_table  # noqa: PLC0415 - as above

        history = price_table(here).history(model)
        return [(date.fromisoformat(day).toordinal() - _EPOCH if day else 0, price) for day, price in history]

    return prices_of
