"""Write the generated pages of docs/reference, or with ``--check`` only say which of them are out of date.

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

from oneseat.contract import events
from oneseat.contract.errors import exit_code
from oneseat.settings import FILE_NAME, reference_rows

from .error_codes import CODES

REFERENCE = Path(__file__).resolve().parent.parent / "docs" / "reference"
_NOTE = "<!-- Written by `make docs` from the source; edits here are lost. -->"


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table. A bar inside a cell would end it."""
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
    columns = ["setting", "variable", "takes", "default", "may stand in a file", "meaning"]
    return (
        "# Settings\n\n"
        f"A variable wins over the project's `{FILE_NAME}` (in the working directory or above it), that one wins over your own. "
        "Times are in seconds.\n\n" + table(columns, rows)
    )


def error_codes() -> str:
    """Every error code with its exit code."""
    rows = [(f"`{code}`", str(exit_code(code)), meaning) for code, meaning in CODES.items()]
    return (
        "# Errors\n\n"
        "A code is a dotted word; its first part decides the exit code. Every face shows the same code, message and hint.\n\n"
        + table(["code", "exit", "when"], rows)
    )


def event_types() -> str:
    """Every event with its fields, in the order of a run."""
    kinds = [
        kind for kind in vars(events).values() if inspect.isclass(kind) and issubclass(kind, events.Event)
    ]
    intro = "What `async for event in run` yields, and what `oneseat run --stream-json` prints, one per line, named by `type`."
    parts = [f"# Events\n\n{intro}"]
    for kind in kinds:
        if kind is events.Event:
            continue
        fields = [
            (
                f"`{field.name}`",
                f"`{inspect.formatannotation(field.type)}`",
                "yes" if field.required else "no",
            )
            for field in msgspec.structs.fields(kind)
        ]
        parts.append(f"## {kind.__name__}\n\n`{kind.__struct_config__.tag}`: {inspect.getdoc(kind)}\n")
        parts.append(table(["field", "type", "always"], fields))
    return "\n\n".join(parts)


def commands() -> str:
    """The help of every command, as a terminal of 100 columns shows it."""
    top = help_of()
    names = [
        line.split()[0]
        for line in top.partition("Commands:\n")[2].splitlines()
        if line.startswith("  ") and line[2] != " "
    ]
    parts = ["# Commands", f"```text\n$ oneseat --help\n{top}```"]
    parts += [f"## oneseat {name}\n\n```text\n$ oneseat {name} --help\n{help_of(name)}```" for name in names]
    return "\n\n".join(parts)


def help_of(*command: str) -> str:
    """What ``--help`` prints, in an environment that cannot change it."""
    env = {**os.environ, "COLUMNS": "100", "NO_COLOR": "1", "LC_ALL": "C.UTF-8"}
    argv = [sys.executable, "-m", "oneseat", *command, "--help"]
    return subprocess.run(argv, env=env, capture_output=True, encoding="utf-8", check=True).stdout


PAGES: dict[str, Callable[[], str]] = {
    "cli.md": commands,
    "errors.md": error_codes,
    "events.md": event_types,
    "settings.md": settings,
}


def main(arguments: Sequence[str]) -> int:
    """Write the pages, or check them. Returns 1 when a checked page is not what the source says."""
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
