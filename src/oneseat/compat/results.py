"""What was seen of each assumption."""

from __future__ import annotations

from collections.abc import Iterable

from oneseat.contract.reports.compat import EXPECTED, Assumption

#: How much of what was seen a report holds.
_SEEN_CHARS = 300


class Notes:
    """What was seen of each assumption so far. One that nothing was noted of does not hold."""

    def __init__(self) -> None:
        self._seen: dict[str, Assumption] = {}

    def note(self, name: str, seen: object, *, holds: bool) -> None:
        """Note what was seen of one assumption."""
        text = str(seen)
        shown = text if len(text) <= _SEEN_CHARS else text[: _SEEN_CHARS - 1] + "…"
        self._seen[name] = Assumption(name=name, expected=EXPECTED[name], seen=shown, holds=holds)

    def note_missing(self, names: Iterable[str], why: str) -> None:
        """Note why nothing was seen of those among ``names`` that nothing was noted of."""
        for name in names:
            if name not in self._seen:
                self.note(name, why, holds=False)

    @property
    def broken(self) -> bool:
        """Whether something noted here does not hold."""
        return any(not assumption.holds for assumption in self._seen.values())

    def take(self, others: Notes) -> None:
        """Add what others noted."""
        self._seen |= others._seen

    def all(self) -> tuple[Assumption, ...]:
        """Every assumption in the order of a report."""
        self.note_missing(EXPECTED, "it was not tried")
        return tuple(self._seen[name] for name in EXPECTED)
