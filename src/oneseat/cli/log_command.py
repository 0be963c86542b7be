"""``oneseat log``."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import get_args

import click

from oneseat import api
from oneseat._util.json import to_json
from oneseat.api import RunFilter, RunSummary
from oneseat.contract.receipt import Wallet

from .output import complain, echo

_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_AGO = re.compile(r"(\d{1,6})([mhdw])")
_PREVIEW = 44


class _Moment(click.ParamType[datetime]):
    """A date, a date with a time, or how long ago: ``2026-11-20``, ``2026-11-20T14:00``, ``3h``, ``2d``."""

    name = "when"

    def convert(
        self, value: str | datetime, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime:
        if isinstance(value, datetime):
            return value
        ago = _AGO.fullmatch(value)
        try:
            if ago is not None:
                return datetime.now(UTC) - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
            return datetime.fromisoformat(value).astimezone()
        except (ValueError, OverflowError):
            self.fail(f"not a moment: `{value}`; write 2026-11-20, 2026-11-20T14:00, 3h or 2d", param, ctx)


@click.command(
    "log",
    epilog="""\b
Examples:
  oneseat log --since 2d --status failed
  oneseat log --error billing
  oneseat log -n 1000 --json

`oneseat show RUN` prints one of them whole.""",
)
@click.option(
    "--status",
    type=click.Choice(["completed", "refused", "failed", "cancelled", "running"]),
    help="Only these.",
)
@click.option("--since", type=_Moment(), metavar="WHEN", help="Only runs from then on: 2026-11-20, 3h, 2d.")
@click.option("--until", type=_Moment(), metavar="WHEN", help="Only runs before then.")
@click.option(
    "--wallet",
    type=click.Choice(get_args(Wallet)),
    metavar="NAME",
    help="Only runs paid from this wallet, such as plan or api_key.",
)
@click.option(
    "--dir", "cwd", type=click.Path(path_type=Path), help="Only runs of this directory and those below it."
)
@click.option("--error", metavar="CODE", help="Only runs with this error code, or one that begins so.")
@click.option(
    "-n",
    "--limit",
    metavar="N",
    type=click.IntRange(1, 100_000),
    default=20,
    show_default=True,
    help="How many at most.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object with all fields.")
def command(as_json: bool, cwd: Path | None, **wanted: object) -> None:
    """List past runs, newest first, and who paid for them."""
    where = str(cwd.expanduser().absolute()) if cwd is not None else None
    with api.read_ledger() as ledger:
        runs = ledger.runs(RunFilter(cwd=where, **wanted))  # type: ignore[arg-type]
    if as_json:
        echo(to_json({"runs": runs}))
    elif runs:
        echo(_table(runs))
    else:
        complain('No runs yet. Start one: oneseat run "say hello"\n')


def _table(runs: list[RunSummary]) -> str:
    rows: list[tuple[str, ...]] = [
        ("run", "when", "status", "wallet", "model", "list price", "took", "prompt")
    ]
    return table([*rows, *map(_row, runs)])


def table(rows: list[tuple[str, ...]]) -> str:
    """Rows under each other, every column but the last as wide as its widest cell."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]) - 1)]
    return "\n".join(
        "  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[-1]]).rstrip()
        for row in rows
    )


def _row(run: RunSummary) -> tuple[str, ...]:
    wallet = f"{run.wallet} ({run.verdict.replace('_', ' ')})" if run.wallet and run.verdict else "-"
    price = f"${run.equivalent_cost_usd:.4f}" if run.equivalent_cost_usd is not None else "-"
    took = f"{run.duration_ms / 1000:.1f} s" if run.duration_ms is not None else "-"
    status = run.error_code or run.status
    return (run.id, local_time(run.created_at), status, wallet, run.model or "-", price, took, _preview(run))


def local_time(iso: str, *, milliseconds: bool = False) -> str:
    """A stored moment in the time zone of this machine."""
    local = datetime.fromisoformat(iso).astimezone().replace(tzinfo=None)
    return local.isoformat(" ", "milliseconds" if milliseconds else "seconds")


def _preview(run: RunSummary) -> str:
    text = " ".join((run.prompt_preview or f"{run.prompt_bytes} bytes").split())
    text = "".join(char if char.isprintable() else "\ufffd" for char in text)
    return text if len(text) <= _PREVIEW else f"{text[: _PREVIEW - 1]}…"
