"""Write the product's price tables from the package genai-prices. Run by `make lock`; needs that package.

The product does not depend on the package, which needs ten others, including a network client, for a page of numbers.
"""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from genai_prices import data
from genai_prices.types import ModelPrice, StartDateConstraint, TieredPrices

TABLES = Path(__file__).resolve().parent.parent / "src/oneseat/stores/price_tables"
#: The package's names of the rates, in our order.
RATES = ("input_mtok", "output_mtok", "cache_read_mtok", "cache_write_mtok", "cache_write_1h_mtok")
#: The vendors, and the pattern of their model names. It excludes other vendors' models, and open weights, which
#: #: have a different price at each host.
VENDORS = {
    "anthropic": re.compile(r"claude-[a-z0-9-]*[a-z0-9]"),
    "openai": re.compile(r"(gpt(?!-oss)|o\d|codex|chat|chatgpt|computer-use)(-[a-z0-9.-]*[a-z0-9])?"),
    "google": re.compile(r"gemini-[a-z0-9.-]*[a-z0-9]"),
}
#: Models for audio or images, whose prices have other units than ours.
NOT_TEXT = re.compile(
    r"(^|-)(audio|image|live|realtime|robotics|transcribe|tts|vision|omni)(-|$)|^output_(audio|image|video)_"
)
#: A date at the end of a name; the name without it finds the price too.
DATE = re.compile(r"-(\d{8}|\d{4}-\d{2}-\d{2}|latest)$")


def names_of(model: Any, wanted: re.Pattern[str]) -> set[str]:
    """Every literal name in the rules by which a model is recognised."""
    found, clauses = {model.id}, [model.match]
    while clauses:
        clause = clauses.pop()
        clauses += [*getattr(clause, "or_", ()), *getattr(clause, "and_", ())]
        found |= {getattr(clause, field) for field in ("equals", "starts_with") if hasattr(clause, field)}
    plain = {name for name in found if wanted.fullmatch(name) and not NOT_TEXT.search(name)}
    # Of a name with a date and the same one without, the latter is enough; `-2025` alone is the beginning of a date.
    short = {name for name in plain if not DATE.search(name) or DATE.sub("", name) not in plain}
    return {name for name in short if not re.search(r"-20\d\d$", name)}


def dated(model: Any) -> list[tuple[str, ModelPrice]]:
    """The prices of a model with the day from which each applies; the first one has none."""
    if isinstance(model.prices, ModelPrice):
        return [("", model.prices)]
    found = []
    for each in model.prices:
        if each.constraint is not None and not isinstance(each.constraint, StartDateConstraint):
            raise SystemExit(f"{model.id}: a price of a kind that is not known here: {each.constraint}")
        found.append(("" if each.constraint is None else each.constraint.start_date.isoformat(), each.prices))
    return sorted(found)


def rates(price: ModelPrice, above: int | None = None) -> list[float] | None:
    """The five rates of the tier above that many tokens; ``None`` when input or output tokens have no price."""
    found: list[float | None] = []
    for theirs in RATES:
        value = getattr(price, theirs)
        if isinstance(value, TieredPrices):
            tiers = {tier.start: tier.price for tier in value.tiers}
            value = value.base if above is None else tiers[above]
        found.append(None if value is None else float(value))
    given, out, read, *writes = found
    if given is None or out is None:
        return None
    # Without a separate price, cached tokens cost the same as other input.
    short = given if writes[0] is None else writes[0]
    return [given, out, given if read is None else read, short, short if writes[1] is None else writes[1]]


def prices(model: Any) -> list[dict[str, Any]] | None:
    """The prices of a model as in the table; ``None`` when one of them is incomplete."""
    found: list[dict[str, Any]] = []
    for since, price in dated(model):
        base = rates(price)
        if base is None or any(NOT_TEXT.search(name) and value for name, value in vars(price).items()):
            return None
        tiered = price.input_mtok
        starts = sorted(tier.start for tier in tiered.tiers) if isinstance(tiered, TieredPrices) else []
        row = {"from": since, "rates": base, "tiers": [[start, rates(price, start)] for start in starts]}
        if not found or {**row, "from": found[-1]["from"]} != found[-1]:
            found.append(row)
    return found


def write(vendor: str, wanted: re.Pattern[str]) -> None:
    """Write one vendor's table, one model per line."""
    (provider,) = (each for each in data.providers if each.id == vendor)
    rows = []
    for model in provider.models:
        names, found = sorted(names_of(model, wanted)), prices(model)
        if names and found is not None:
            rows.append(json.dumps({"names": names, "prices": found}))
    head = {
        "table": f"genai-prices {version('genai-prices')}",
        "as_of": datetime.now(UTC).date().isoformat(),
        "source": "https://github.com/pydantic/genai-prices",
    }
    lines = ",\n  ".join(rows)
    text = json.dumps(head, indent=1).removesuffix("\n}") + f',\n "models": [\n  {lines}\n ]\n}}\n'
    (TABLES / f"{vendor}.json").write_text(text, "utf-8")


def main() -> None:
    """Write all tables."""
    TABLES.mkdir(exist_ok=True)
    for vendor, wanted in VENDORS.items():
        write(vendor, wanted)


if __name__ == "__main__":
    main()
