"""Errors as a person and as a program read them; the same object behind both."""

from __future__ import annotations

import sys
from typing import TextIO

from oneseat.contract.errors import ErrorInfo


def print_error(info: ErrorInfo, *, as_json: bool, stderr: TextIO) -> None:
    """Print an error on stderr, and on stdout as the JSON object that `--json` promises."""
    stderr.write(error_text(info))
    stderr.flush()
    if as_json:
        from .render import nothing_ran, result_line  # noqa: PLC0415 - only JSON output needs the encoder

        sys.stdout.write(result_line(nothing_ran(info)).decode() + "\n")


def error_text(info: ErrorInfo) -> str:
    """What failed, why, and one hint; readable without colour."""
    lines = [f"error: {info.message}", f"  code {info.code}"]
    if info.retry_after_s is not None:
        lines.append(f"  it ends in {duration(info.retry_after_s)}")
    if info.hint is not None:
        lines += ["", f"hint: {info.hint}"]
    return "\n".join(lines) + "\n"


def duration(seconds: float) -> str:
    """Seconds in words a person reads: ``4 s``, ``12 min``, ``3 h 20 min``, ``2 d 4 h``."""
    whole = round(seconds)
    if whole < 120:
        return f"{whole} s"
    minutes = whole // 60
    if minutes < 120:
        return f"{minutes} min"
    hours = minutes // 60
    return f"{hours} h {minutes % 60} min" if hours < 48 else f"{hours // 24} d {hours % 24} h"
