"""API keys: where each one is and what it may be used for. The key itself is in none of these types."""

from __future__ import annotations

from typing import Literal

import msgspec

KeyProvider = Literal["anthropic", "openai", "gemini", "openai-compatible"]


class ApiKey(msgspec.Struct, frozen=True, kw_only=True):
    """An API key by its name.

    It is in the environment variable ``env``, in the private ``file``, or else in the keyring of the operating system.
    ``credits`` marks one that draws on the API credits a plan includes. ``base_url`` is asked in place of the vendor; with
    ``charges`` false nothing is paid there and no key is needed. Budgets are in US dollars at list price.
    """

    name: str
    provider: KeyProvider
    env: str | None = None
    file: str | None = None
    credits: bool = False
    base_url: str | None = None
    charges: bool = True
    run_budget_usd: float | None = None
    day_budget_usd: float | None = None
    month_budget_usd: float | None = None
