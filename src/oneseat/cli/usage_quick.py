"""``oneseat usage`` without options, answered before the command line's own machinery is loaded, which takes as long again."""

from __future__ import annotations

import sys

from oneseat.usage import VIEWS, read_usage

from .usage_text import report_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


def answered(arguments: Sequence[str]) -> bool:
    """Answer ``oneseat usage``, or one of its views by its name alone. False when the ordinary command has to do it."""
    view = arguments[0] if arguments else "daily"
    if len(arguments) > 1 or view not in VIEWS or sys.stdout is None:
        return False
    try:
        text = report_text(read_usage(view)).encode("utf-8", "replace") + b"\n"
        sys.stdout.buffer.write(text)
        sys.stdout.buffer.flush()
    except Exception:  # noqa: BLE001 - the ordinary command meets the same and explains it
        return False
    return True
