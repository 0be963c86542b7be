"""Programs that may use the HTTP server, and what each was declared to be. No type here contains a key."""

from __future__ import annotations

from typing import Literal

import msgspec

from oneseat.contract.request import PurposeWords

#: What a client was given to be paid from, in the words of `oneseat clients add --wallets`.
WalletWord = Literal["plan", "api_key"]
#: What becomes of a parameter that only hints at how to answer, where the seat cannot follow it.
OnUnsupported = Literal["ignore", "refuse"]

#: How many requests of one client go on at a time where nothing else was declared.
DEFAULT_PARALLEL = 4
#: The word for what its owner has not declared. It is never allowed on a plan.
UNDECLARED = "unknown"


class ApiClient(msgspec.Struct, frozen=True, kw_only=True):
    """One client. ``purpose`` holds in full what was declared of it: `unknown` where nothing was.

    ``wallets`` empty is what the settings allow. Budgets are in US dollars at list price, ``per_minute`` counts requests,
    ``cache_s`` is how long an answer may be given again, in seconds; 0 is never. ``confirmation`` is the id of the owner's
    written confirmation that came with it. ``created_at`` and ``rotated_at`` are ISO 8601 UTC.
    """

    name: str
    purpose: PurposeWords
    role: str | None = None
    wallets: tuple[WalletWord, ...] = ()
    day_budget_usd: float | None = None
    month_budget_usd: float | None = None
    tools: str = "none"
    project: str | None = None
    parallel: int = DEFAULT_PARALLEL
    per_minute: int | None = None
    on_unsupported: OnUnsupported = "ignore"
    cache_s: int = 0
    confirmation: str | None = None
    created_at: str = ""
    rotated_at: str | None = None

    @property
    def is_owners(self) -> bool:
        """Whether its owner declared that they write its requests and read its answers."""
        return self.purpose.asked_by in {"me", "automation"} and self.purpose.reader == "me"


class StoredClient(msgspec.Struct, frozen=True, kw_only=True):
    """A client as it is stored: ``digest`` is the SHA-256 of its key, in hexadecimal digits."""

    client: ApiClient
    digest: str


class NewKey(msgspec.Struct, frozen=True, kw_only=True):
    """A key that was just made. It is shown this once and stored nowhere."""

    client: str
    key: str


class ClientList(msgspec.Struct, frozen=True, kw_only=True):
    """Every client, by name."""

    clients: tuple[ApiClient, ...]


class RemovedClient(msgspec.Struct, frozen=True, kw_only=True):
    """A client whose key is refused from now on."""

    removed: str
