"""API keys: where each is stored and what it may be used for. No type here contains the key itself."""

from __future__ import annotations

import msgspec

from .providers import KeyProvider

#: In characters. Known keys have up to 200.
MAX_KEY_LENGTH = 4096


class ApiKey(msgspec.Struct, frozen=True, kw_only=True):
    """An API key by its name.

    It is in the environment variable ``env``, in the private ``file``, or else in the keyring of the operating system.
    ``credits`` marks one that draws on the API credits a plan includes. ``base_url`` is asked in place of the vendor; with
    ``charges`` false nothing is paid there and no key is needed. ``model`` serves runs that name none that the provider has.
    Budgets are in US dollars at list price.
    """

    name: str
    provider: KeyProvider
    env: str | None = None
    file: str | None = None
    credits: bool = False
    base_url: str | None = None
    charges: bool = True
    model: str | None = None
    run_budget_usd: float | None = None
    day_budget_usd: float | None = None
    month_budget_usd: float | None = None

    @property
    def needed(self) -> bool:
        """Whether a key is required. A free server needs one only if its location is set."""
        return self.charges or self.env is not None or self.file is not None

    @property
    def place(self) -> str:
        """The location of the key, as text."""
        if self.env is not None:
            return f"the variable `{self.env}`"
        if self.file is not None:
            return f"the file `{self.file}`"
        return "the operating system's keyring" if self.needed else "nowhere: no key is needed"
