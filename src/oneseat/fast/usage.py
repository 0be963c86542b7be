"""``oneseat usage`` without options, answered before the command-line parser is loaded, which would double the time."""

from __future__ import annotations

import gc
import sys

from oneseat import __version__
from oneseat.app import Installation
from oneseat.app.usage import VIEWS, read_text
from oneseat.cli.screen import printable, rendered, terminal_columns

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from oneseat.app.usage import Report


def answered(arguments: Sequence[str]) -> bool:
    """Answer ``oneseat usage`` or one of its views without options. False when the ordinary command has to do it."""
    view = arguments[0] if arguments else "daily"
    if len(arguments) > 1 or view not in VIEWS or sys.stdout is None:
        return False
    collecting = gc.isenabled()
    gc.disable()  # no cycles are created here, and looking for them takes a tenth of the time
    try:
        # A text is kept as it is for one width; its colours are added, or left out, when it is printed.
        made = f"{__version__} {terminal_columns() or ''}"
        text = rendered(printable(read_text(Installation(), view, _text, made)), sys.stdout)
        sys.stdout.buffer.write(text.encode("utf-8", "replace") + b"\n")
        sys.stdout.buffer.flush()
    except Exception:  # noqa: BLE001 - the ordinary command meets the same and explains it
        return False
    finally:
        if collecting:
            gc.enable()
    return True


def _text(report: Report) -> str:
    from oneseat.cli.views.usage import report_text  # noqa: PLC0415 - a text that is kept is not made again

    return report_text(report)
