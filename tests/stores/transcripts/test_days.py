"""The sums by day of all projects together say what those of each project say, and what is unknown stays unknown."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

from oneseat.rules.usage.sums import Part, Sum, total
from oneseat.stores.transcripts.index import Index
from oneseat.stores.transcripts.schema import open_for_writing

SOURCES = (("run", "plan"), ("run", "api_key"), ("transcript", "unknown"))


def test_projects_together_are_the_sum_of_them_and_unknown_money_is_apart(tmp_path: Path) -> None:
    db = open_for_writing(str(tmp_path / "usage.db"))
    kinds = product((None, 20_000), SOURCES, "pq", ("opus", "nova"), (None, 1.5), (None, 0.25), range(2))
    for day, (source, wallet), project, model, listed, charged, tier in kinds:
        row = (day, source, wallet, project, model, 2, 3, 5, 7, 11, 13, listed, charged, 1, 4, 2, tier)
        db.execute(f"INSERT INTO days VALUES ({', '.join('?' * len(row))})", row)
    index = Index(db, "")
    apart, together = index.days(), index.days(by_project=False)
    assert (len(apart), len(together)) == (192, 48)
    assert seen(added(together)) == seen(added(apart))
    for day, (source, wallet), model in product((None, 20_000), SOURCES, ("opus", "nova")):
        one = [(day, source, wallet, "", model)]
        assert seen(added(together, one)) == seen(
            added(apart, [(day, source, wallet, p, model) for p in "pq"])
        )
    index.close()


def added(rows: list[tuple[Any, ...]], of: list[tuple[Any, ...]] | None = None) -> Sum:
    """Rows of the sums by day added up, those that are named like one ``of`` these."""
    sums = []
    for row in rows:
        if of is None or row[:5] in of:
            (
                day,
                source,
                wallet,
                project,
                model,
                count,
                *tokens,
                listed,
                charged,
                special,
                searches,
                unpriced,
            ) = row
            part = Part(
                (day, source, wallet, project, model, ""),
                count,
                tuple(tokens),
                listed,
                charged,
                special,
                searches,
                unpriced,
            )
            sums.append(Sum())
            sums[-1].add(part)
    return total(sums)


def seen(found: Sum) -> dict[str, object]:
    """All that a sum says."""
    return {name: getattr(found, name) for name in Sum.__slots__}
