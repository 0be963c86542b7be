"""SQLite without the date adapters that ``sqlite3`` adds to it, which take longer to load than all of SQLite.

The only private module of CPython in use: `make bench` shows that `oneseat usage` misses its goal for one grown file without it.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    import sqlite3
else:
    try:
        import _sqlite3 as sqlite3
    except ImportError:  # another Python than CPython
        import sqlite3

__all__ = ["sqlite3"]
