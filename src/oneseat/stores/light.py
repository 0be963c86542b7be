"""SQLite for those who answer a prompt: without what ``sqlite3`` adds to it for dates, which takes longer to load than it."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    import sqlite3
else:
    try:
        import _sqlite3 as sqlite3
    except ImportError:  # another Python may be made of other parts
        import sqlite3

__all__ = ["sqlite3"]
