"""The observations for each assumption."""

from __future__ import annotations

from collections.abc import Iterable

from oneseat.contract.reports.compat import EXPECTED, Assumption

#: How much of an observation a report contains, in characters.
_SEEN_CHARS = 300


class Notes:
    """The observations so far. An assumption without an observation does not hold."""

    def __init__(self) -> None:
        self._seen: dict[str, Assumption] = {}

    def note(self, name: str, seen: object, *, holds: bool) -> None:
        """Record an observation for one assumption."""
        text = str(seen)
        shown = text if len(text) <= _SEEN_CHARS else text[: _SEEN_CHARS - 1] + "…"
        self._seen[name] = Assumption(name=name, expected=EXPECTED[name], seen=shown, holds=holds)

    def note_missing(self, names: Iterable[str], why: str) -> None:
        """Record why there is no observation for those of ``names`` that have none."""
        for name in names:
            if name not in self._seen:
                self.note(name, why, holds=False)

    @property
    def broken(self) -> bool:
        """Whether any assumption with an observation does not hold."""
        return any(not assumption.holds for assumption in self._seen.values())

    def take(self, others: Notes) -> None:
        """Add the observations of another ``Notes``."""
        self._seen |= others._seen

    def all(self) -> tuple[Assumption, ...]:
        """The results for all assumptions, in the order of a report."""
        self.note_missing(EXPECTED, "it was not tried")
        return tuple(self._seen[name] for name in EXPECTED)
