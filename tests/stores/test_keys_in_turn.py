"""Runs that go from plan to key to key, some lost and some killed: no key pays more than its budget, or than it is counted with."""

from __future__ import annotations

import random
from collections.abc import Generator, Iterator
from functools import partial
from pathlib import Path

import msgspec
import pytest

from oneseat.contract.budgets import Budget, Reservation, Since
from oneseat.rules.budgets.allocation import share
from oneseat.stores.ledger.writer import LedgerWriter

from .making import make_request, make_result, make_writer

EVER = Since(day="2000-01-01T00:00:00.000Z", month="2000-01-01T00:00:00.000Z")
RUNS = 12


class Owner:
    """Two keys with a budget each, perhaps one over all, and what the vendor really charged to each key."""

    def __init__(self, writer: LedgerWriter, chance: random.Random) -> None:
        self.writer = writer
        self.chance = chance
        self.caps = {name: chance.uniform(0.5, 2) for name in ("a", "b")}
        self.of_all = chance.choice([None, chance.uniform(1, 3)])
        self.charged = dict.fromkeys(self.caps, 0.0)

    def bounds(self, key: str) -> tuple[Budget, ...]:
        over_all = (Budget(self.of_all, "day"),) if self.of_all is not None else ()
        return (*over_all, Budget(self.caps[key], "day", "key", key))

    def counted(self) -> dict[str, float]:
        """What the ledger says that each key has spent."""
        keys = tuple(Budget(9, "day", "key", name) for name in self.caps)
        found, _ = self.writer.reserve("asking", "plan", keys, EVER, lambda _: None)
        return {each.bound.name or "": each.usd for each in found}


class Run:
    """One run as the engine makes it. Each step is one that another run may come between."""

    def __init__(self, owner: Owner, run_id: str) -> None:
        self.owner = owner
        self.id = run_id
        self.spent: list[tuple[str | None, float]] = []
        self.lost = False

    def steps(self) -> Iterator[None]:
        owner = self.owner
        owner.writer.begin(self.id, make_request(), "claude-cli")
        for key in [owner.chance.choice([None, "a", "b"]) for _ in range(owner.chance.randint(1, 4))]:
            owner.writer.routed(self.id, "made up", "api_key", key, sum(usd for _, usd in self.spent))
            self.spent.append((key, 0.0))
            yield
            if key is not None:
                killed = yield from self._requests(key)
                if killed:
                    return
        total = None if self.lost else sum(usd for _, usd in self.spent)
        result = make_result(self.id)
        receipt = msgspec.structs.replace(result.receipt, equivalent_cost_usd=total, expected_wallet="plan")
        owner.writer.finish(msgspec.structs.replace(result, receipt=receipt))

    def _requests(self, key: str) -> Generator[None, None, bool]:
        chance = self.owner.chance
        for _ in range(chance.randint(1, 3)):
            cap = self._reserve(key, chance.uniform(0.01, 0.6))
            if cap is None:
                return False
            yield
            granted = cap.usd - cap.used_usd
            cost, end = chance.uniform(0, granted), chance.random()
            self.owner.charged[key] += cost
            if end < 0.1:
                return True
            self.lost = self.lost or end < 0.3
            # What nobody counted counts with all that it may have cost.
            self.spent[-1] = (key, self.spent[-1][1] + (granted if end < 0.3 else cost))
            if chance.random() < 0.5:
                self._reserve(key, 0.0)
            yield
        return False

    def _reserve(self, key: str, needs: float) -> Reservation | None:
        bounds, used = self.owner.bounds(key), sum(usd for _, usd in self.spent)
        elsewhere = sum(usd for of, usd in self.spent if of != key)
        part = partial(share, bounds, used, needs, elsewhere_usd=elsewhere)
        return self.owner.writer.reserve(self.id, "plan", bounds, EVER, part)[1]


@pytest.mark.parametrize("seed", range(12))
def test_no_key_pays_more_than_its_budget_or_than_it_is_counted_with(seed: int, tmp_path: Path) -> None:
    owner = Owner(make_writer(tmp_path / "runs.db"), random.Random(seed))
    going_on = [Run(owner, f"run-{number}").steps() for number in range(RUNS)]
    while going_on:
        chosen = owner.chance.choice(going_on)
        if next(chosen, "over") == "over":
            going_on.remove(chosen)
        assert sum(owner.charged.values()) <= (owner.of_all or 9) + 1e-9
        for key, counted in owner.counted().items():
            assert owner.charged[key] - 1e-9 <= counted <= owner.caps[key] + 1e-6
    owner.writer.close()
