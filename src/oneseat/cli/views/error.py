"""Errors as a person and as a program read them."""

from __future__ import annotations

import contextlib

from oneseat.cli.output import OutputFormat, complain, echo
from oneseat.cli.screen import printable, styled
from oneseat.contract.errors import ErrorInfo, UsageError

from .timefmt import duration


def print_error(info: ErrorInfo, form: OutputFormat) -> None:
    """Print an error on stderr, and on stdout as the JSON object that the form promises."""
    complain(error_text(info))
    if form != "text":
        from click.exceptions import Exit  # noqa: PLC0415 - a run on a server is shown without click

        from .receipt import nothing_ran, result_line, tagged_result  # noqa: PLC0415 - only JSON needs the encoder

        line = (result_line if form == "json" else tagged_result)(nothing_ran(info))
        with contextlib.suppress(Exit, UsageError):  # the error itself is on stderr already
            echo(line)


def error_text(info: ErrorInfo) -> str:
    """What failed, why, and one hint; readable without colour."""
    lines = [f"{styled('error:', 'bad')} {info.message}", styled(f"  code {info.code}", "quiet")]
    if info.retry_after_s is not None:
        lines.append(f"  retry in {duration(info.retry_after_s)}")
    if info.hint is not None:
        lines += ["", f"{styled('hint:', 'strong')} {info.hint}"]
    return printable("\n".join(lines) + "\n")
