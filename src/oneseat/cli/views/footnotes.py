"""What a report says below itself of what it left out. Imports nothing that takes time, as `oneseat usage` needs it."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

#: Why something was not read.
_NOT_READ = {
    "not_json": "an incomplete line",
    "wrong_shape": "a line whose token counts are not numbers",
    "too_long": "a line over 4 MiB that may hold an answer",
    "unfinished": "a last line that is still being written",
    "unreadable": "a file that cannot be opened",
    "closed_folders": "a folder that cannot be opened",
    "ledger_rows": "an entry of the ledger that is not as oneseat writes it",
    "links": "a symbolic link, not followed",
    "ledger": "the ledger of oneseat's own runs, which cannot be read",
}


def not_read(counts: Mapping[str, int]) -> Iterator[str]:
    """What could not be read, by reason."""
    for reason, count in counts.items():
        times = f" ({count:,} times)" if count > 1 else ""
        yield f"not read: {_NOT_READ.get(reason, reason)}{times}"
