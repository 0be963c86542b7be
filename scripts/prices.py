"""Write the price table that the product carries, from the package genai-prices. Run by `make lock`, where that is installed.

The product does not depend on the package: it brings ten others, a network client among them, for thirty rows of numbers.
"""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from genai_prices import data
from genai_prices.types import ModelPrice, TieredPrices

TABLE = Path(__file__).resolve().parent.parent / "src/oneseat/stores/prices.json"
#: Our names of the rates, and theirs.
RATES = {
    "input": "input_mtok",
    "output": "output_mtok",
    "cache_read": "cache_read_mtok",
    "cache_write_5m": "cache_write_mtok",
    "cache_write_1h": "cache_write_1h_mtok",
}
#: The names that the official CLI uses, without a date and without dots.
NAME = re.compile(r"claude-[a-z0-9-]+")


def names_of(model: Any) -> set[str]:
    """Every plain name in the rules by which a model is recognised."""
    found, clauses = {model.id}, [model.match]
    while clauses:
        clause = clauses.pop()
        clauses += getattr(clause, "or_", ())
        found |= {getattr(clause, field) for field in ("equals", "starts_with") if hasattr(clause, field)}
    plain = {re.sub(r"-(\d{8}|latest)$", "", name) for name in found if NAME.fullmatch(name)}
    return {name for name in plain if not name.endswith("-2025")}


def price_in_force(model: Any) -> ModelPrice:
    """The price of today, where it depends on the date."""
    if isinstance(model.prices, ModelPrice):
        return model.prices
    now = datetime.now(UTC)
    fitting = [each.prices for each in model.prices if each.constraint is None or each.constraint.active(now)]
    last: ModelPrice = fitting[-1]
    return last


def rates(price: ModelPrice, above: int | None = None) -> dict[str, float] | None:
    """The five rates, of the tier that begins above so many tokens; ``None`` when one of them is not known."""
    found = {}
    for ours, theirs in RATES.items():
        value = getattr(price, theirs)
        if isinstance(value, TieredPrices):
            tiers = {tier.start: tier.price for tier in value.tiers}
            value = value.base if above is None else tiers[above]
        if value is None:
            return None
        found[ours] = float(value)
    return found


def row(model: Any) -> dict[str, Any] | None:
    """One model as the table holds it; ``None`` when it is not priced in full."""
    price = price_in_force(model)
    base = rates(price)
    if base is None:
        return None
    tiered = price.input_mtok
    starts = [tier.start for tier in tiered.tiers] if isinstance(tiered, TieredPrices) else []
    tiers = [{"above": start, "rates": rates(price, start)} for start in sorted(starts)]
    return {"names": sorted(names_of(model)), "rates": base, "tiers": tiers}


def main() -> None:
    """Write the table anew."""
    (provider,) = (each for each in data.providers if each.id == "anthropic")
    rows = [found for model in provider.models if (found := row(model)) is not None]
    table = {
        "table": f"genai-prices {version('genai-prices')}",
        "as_of": datetime.now(UTC).date().isoformat(),
        "source": "https://github.com/pydantic/genai-prices",
        "models": rows,
    }
    TABLE.write_text(json.dumps(table, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
