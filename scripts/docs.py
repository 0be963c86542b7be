"""Write the generated pages of docs/reference; with ``--check``, only report which of them are out of date.

python -m scripts.docs [--check]
"""

from __future__ import annotations

import inspect
import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import msgspec

from oneseat.contract import errors, events, facts, protocol, receipt, routing, sessions, warm
from oneseat.contract.errors import EXIT_CODES, exit_code
from oneseat.contract.history import RunSummary, StoredEvent
from oneseat.contract.reports import compat, doctor
from oneseat.settings import FILE_NAME, reference_rows

from . import field_meanings
from .error_codes import CODES, EXITS
from .field_types import describe_rule

REFERENCE = Path(__file__).resolve().parent.parent / "docs" / "reference"
_NOTE = "<!-- Written by `make docs` from the source; edits here are lost. -->"

#: The pages of structures: the types on each page, in their order.
EVENTS: tuple[type[msgspec.Struct], ...] = tuple(
    kind
    for kind in vars(events).values()
    if inspect.isclass(kind) and issubclass(kind, events.Event) and kind is not events.Event
)
RESULTS: tuple[type[msgspec.Struct], ...] = (
    receipt.RunResult,
    errors.ErrorInfo,
    receipt.Receipt,
    receipt.Evidence,
    receipt.TokenUsage,
    receipt.LimitReading,
    receipt.PolicyStamp,
    receipt.SessionStamp,
    routing.PassedOver,
    routing.RouteReport,
    routing.CandidateReport,
    RunSummary,
    StoredEvent,
    doctor.Report,
    doctor.CodexCheckup,
    facts.CodexLogin,
    facts.CredentialSource,
    facts.LoginFacts,
    doctor.SourceRow,
    doctor.CheckupFinding,
    compat.CanaryReport,
    compat.Assumption,
    compat.CliFile,
    sessions.Session,
    protocol.StatusReport,
    protocol.ServerStatus,
    protocol.RunGoingOn,
    protocol.WentCold,
    warm.WarmProcess,
)
_EVENTS_INTRO = """\
# Events

What a run reports while it is active: `async for event in stream` in Python, `oneseat run --stream-json` in a shell (one
object per line, named by `type`), `oneseat show RUN --events` afterwards. New types and fields may be added: ignore
those you do not know.

- The last line of `--stream-json` is not an event but the [result](results.md#runresult), with `"type": "result"` in
  front; in Python and in the ledger it is `finished` or `failed`.
- `text_delta` and `thinking` are not kept in the ledger; the finished `message` is.
- `turn_ended` is in the ledger only; the result is the evaluated form."""
_RESULTS_INTRO = """\
# Results and receipts

The JSON that commands print, and the same objects in Python. Every field is always present, except
those whose meaning says that they may be left out. What is not known is `null`, never 0. New fields may be added: ignore
those you do not know."""
_HASHED = (
    ("`oneseat run --json`", "one [RunResult](#runresult)"),
    ("`oneseat route --json`", "one [RouteReport](#routereport)"),
    (
        "`oneseat run --stream-json`",
        '[events](events.md), then one [RunResult](#runresult) with `"type": "result"` in front',
    ),
    ("`oneseat log --json`", '`{"runs": [...]}`, each a [RunSummary](#runsummary)'),
    (
        "`oneseat show RUN --json`",
        (
            '`{"run": ..., "result": ..., "events": [...]}`: [RunSummary](#runsummary), [RunResult](#runresult) or null, '
            "[StoredEvent](#storedevent)"
        ),
    ),
    ("`oneseat show RUN --events`", "one [StoredEvent](#storedevent) per line"),
    ("`oneseat doctor --json`", "one [Report](#report)"),
    ("`oneseat doctor --canary --json`", "one [CanaryReport](#canaryreport)"),
    ("`oneseat status --json`", "one [StatusReport](#statusreport)"),
    ("`oneseat sessions list --json`", '`{"sessions": [...]}`, each a [Session](#session)'),
)
_VERDICTS = (
    (
        "`verified`",
        (
            "three sources agree: the login seen before sending, no API key source when the official CLI accepted the prompt, "
            "and the server's own limit report without overage"
        ),
    ),
    (
        "`unverified`",
        "the login was as expected before sending, but the server's report is missing, as in most failures; not an alarm",
    ),
    ("`misbilled`", "another wallet was reported during the run, which was stopped at once"),
    ("`nothing_sent`", "the prompt never left this machine"),
)


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table. Bars in cells are escaped, as they would end the cell."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def settings() -> str:
    """Every setting, from the table that reads them."""
    rows = [
        (
            f"`{row.name}`",
            f"`{row.variable}`" if row.variable else "-",
            row.expected,
            f"`{row.default}`",
            row.files,
            row.meaning,
        )
        for row in reference_rows()
    ]
    columns = ["setting", "variable", "takes", "default", "allowed in file", "meaning"]
    return (
        "# Settings\n\n"
        f"A variable overrides the project's `{FILE_NAME}` (in the working directory or above it), which overrides your own. "
        "Times are in seconds.\n\n" + table(columns, rows)
    )


def error_codes() -> str:
    """Every exit code, and every error code with its exit code."""
    exits = [(str(code), meaning, _families(code)) for code, meaning in EXITS.items()]
    rows = [(f"`{code}`", str(exit_code(code)), meaning) for code, meaning in CODES.items()]
    return (
        "# Errors\n\n"
        "A code is a dotted word; its first part decides the exit code. "
        "Commands, JSON and Python show the same code, message and hint.\n\n"
        "## Exit codes\n\n"
        + table(["exit", "meaning", "error codes"], exits)
        + "\n\n## Error codes\n\n"
        + table(["code", "exit", "when"], rows)
    )


def _families(code: int) -> str:
    names = [name for name, number in EXIT_CODES.items() if number == code]
    return ", ".join(f"`{name}`" if name in CODES else f"`{name}.`" for name in names) or "-"


def event_types() -> str:
    """Every event with its fields, in the order of a run."""
    return "\n\n".join([_EVENTS_INTRO, *(_structure(kind) for kind in EVENTS)])


def results() -> str:
    """The result, the receipt, and what the other commands print as JSON."""
    parts = [_RESULTS_INTRO, table(["command", "prints"], _HASHED)]
    parts += ["The verdict of a receipt:", table(["verdict", "means"], _VERDICTS)]
    return "\n\n".join([*parts, *(_structure(kind) for kind in RESULTS)])


def _structure(kind: type[msgspec.Struct]) -> str:
    fields = msgspec.structs.fields(kind)
    here, there = (EVENTS, RESULTS) if kind in EVENTS else (RESULTS, EVENTS)
    links = {each: f"#{each.__name__.lower()}" for each in here}
    links |= {
        each: f"{'results' if there is RESULTS else 'events'}.md#{each.__name__.lower()}" for each in there
    }
    meanings = {**field_meanings.EVENTS, **field_meanings.RESULTS}[kind.__name__]
    rows = [(f"`{field.name}`", describe_rule(field.type, links), meanings[field.name]) for field in fields]
    tag = kind.__struct_config__.tag
    about = " ".join((inspect.getdoc(kind) or "").replace("``", "`").split())
    return (
        f"## {kind.__name__}\n\n"
        + (f"`{tag}`: {about}" if tag else about)
        + "\n\n"
        + table(["field", "holds", "meaning"], rows)
    )


def commands() -> str:
    """The help of every command, as on a terminal of 100 columns."""
    top = help_of()
    listed = top.partition("Commands:\n")[2].partition("\n\n")[0]
    names = [line.split()[0] for line in listed.splitlines() if line.startswith("  ") and line[2] != " "]
    parts = ["# Commands", f"```text\n$ oneseat --help\n{top}```"]
    parts += [f"## oneseat {name}\n\n```text\n$ oneseat {name} --help\n{help_of(name)}```" for name in names]
    return "\n\n".join(parts)


def help_of(*command: str) -> str:
    """The output of ``--help``, in an environment without variables that change it."""
    env = {**os.environ, "COLUMNS": "100", "NO_COLOR": "1", "LC_ALL": "C.UTF-8"}
    argv = [sys.executable, "-m", "oneseat", *command, "--help"]
    return subprocess.run(argv, env=env, capture_output=True, encoding="utf-8", check=True).stdout


PAGES: dict[str, Callable[[], str]] = {
    "cli.md": commands,
    "errors.md": error_codes,
    "events.md": event_types,
    "results.md": results,
    "settings.md": settings,
}


def main(arguments: Sequence[str]) -> int:
    """Write the pages, or check them. Returns 1 when a checked page is out of date."""
    stale = []
    for name, make in PAGES.items():
        text, path = f"{_NOTE}\n\n{make()}\n", REFERENCE / name
        if path.exists() and path.read_text("utf-8") == text:
            continue
        stale.append(f"docs/reference/{name}")
        if "--check" not in arguments:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
    if stale and "--check" in arguments:
        sys.stderr.write(f"error: Generated pages are out of date: {', '.join(stale)}\n\nhint: make docs\n")
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
