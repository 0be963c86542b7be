"""``oneseat limits`` in its plain forms, answered before the command line's own machinery is loaded, which takes as long again."""

from __future__ import annotations

import sys

from oneseat.app import Installation
from oneseat.app.limits import read_limits

from .limits_text import fields_of, limits_text, statusline
from .output import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


def answered(arguments: Sequence[str]) -> bool:
    """Answer ``oneseat limits``, also with one of its forms. False when the ordinary command has to do it."""
    if list(arguments) not in ([], ["--statusline"], ["--json"]) or sys.stdout is None:
        return False
    form = arguments[0] if arguments else ""
    try:
        report = read_limits(Installation(), only_windows=form == "--statusline")
        if form == "--json":
            import json  # noqa: PLC0415 - the other forms need none

            text = json.dumps(fields_of(report), separators=(",", ":"))
        else:
            text = printable(statusline(report) if form else limits_text(report))
        sys.stdout.buffer.write(text.encode("utf-8", "replace") + b"\n")
        sys.stdout.buffer.flush()
    except Exception:  # noqa: BLE001 - the ordinary command meets the same and explains it
        return False
    return True
