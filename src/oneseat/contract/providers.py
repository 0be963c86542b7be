"""The provider catalogue: every provider there is, and every usage window that a plan can have.

A new provider or window is one row here. What a provider does stands in its folder of `providers/`.
"""

from __future__ import annotations

from typing import Literal, NamedTuple, TypeAlias

#: Providers that a plan pays: official CLIs.
SeatName: TypeAlias = Literal["claude-cli", "codex-cli"]
#: Providers that an API key pays.
KeyProvider: TypeAlias = Literal["anthropic", "openai", "gemini", "openai-compatible"]


class ProviderRow(NamedTuple):
    """One provider. ``vendor`` is its name in policy packs and price tables; ``None``: anybody's server.

    A full model name that begins with ``model_prefix`` holds at each provider of one vendor. ``short`` stands for a seat in one
    short line; the default seat needs none.
    """

    name: SeatName | KeyProvider
    kind: Literal["seat", "key"]
    vendor: Literal["anthropic", "openai", "google"] | None
    model_prefix: str | None
    short: str = ""


CATALOGUE = (
    ProviderRow("claude-cli", "seat", "anthropic", "claude-"),
    ProviderRow("codex-cli", "seat", "openai", "gpt-", short="codex"),
    ProviderRow("anthropic", "key", "anthropic", "claude-"),
    ProviderRow("openai", "key", "openai", "gpt-"),
    ProviderRow("gemini", "key", "google", "gemini-"),
    ProviderRow("openai-compatible", "key", None, None),
)
ROWS: dict[str, ProviderRow] = {row.name: row for row in CATALOGUE}
SEATS = tuple(row.name for row in CATALOGUE if row.kind == "seat")
#: The seat that serves where the settings name none.
DEFAULT_SEAT: SeatName = "claude-cli"


def vendor_of_model(model: str) -> str:
    """The vendor of a model by its full name: OpenAI, whose names have many beginnings, unless another vendor's prefix fits."""
    return next(
        (
            row.vendor
            for row in CATALOGUE
            if row.vendor and row.model_prefix and model.startswith(row.model_prefix)
        ),
        "openai",
    )


class UsageWindow(NamedTuple):
    """One usage window of a plan: its name in events and error codes, and what it is called in text.

    ``label`` goes before the word "window", ``title`` stands alone, ``short`` is for a status line. ``minutes`` is its length,
    where a vendor names windows by that. A ``usual`` one is shown even while nothing is known of it; a window of one model
    (``of_model``) leaves the other models usable.
    """

    name: str
    label: str
    title: str = ""
    short: str = ""
    minutes: int | None = None
    usual: bool = False
    of_model: bool = False


WINDOWS = {
    window.name: window
    for window in (
        UsageWindow("five_hour", "five-hour", "five hours", "5h", 300, usual=True),
        UsageWindow("seven_day", "weekly", "week", "week", 10080, usual=True),
        UsageWindow("seven_day_opus", "weekly Opus", of_model=True),
        UsageWindow("seven_day_sonnet", "weekly Sonnet", of_model=True),
        UsageWindow("one_day", "daily", minutes=1440),
        UsageWindow("thirty_day", "monthly", minutes=43200),
    )
}
