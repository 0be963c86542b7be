"""What is known about plans: their monthly prices and what they include, each entry with its source and its date."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

#: Only what is ``active`` counts; the rest is kept to be told of.
Status = Literal["active", "announced", "paused", "superseded", "unknown"]

_Name = Annotated[str, msgspec.Meta(min_length=1, max_length=80, pattern=r"^[^\x00-\x1f\x7f-\x9f]+$")]
_Id = Annotated[str, msgspec.Meta(max_length=40, pattern=r"^[a-z0-9][a-z0-9_.-]*$")]
_Text = Annotated[str, msgspec.Meta(max_length=400, pattern=r"^[^\x00-\x1f\x7f-\x9f]*$")]
_Usd = Annotated[float, msgspec.Meta(ge=0, le=1_000_000)]
_Date = Annotated[str, msgspec.Meta(pattern=r"^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])$")]
_Count = Annotated[int, msgspec.Meta(ge=0, le=1_000_000_000)]


class _Dated(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    id: _Id
    status: Status = "active"
    source: _Text
    as_of: _Date


class Plan(_Dated, frozen=True, kw_only=True):
    """A plan for a price per month, in US dollars; ``None`` is not known, which is never the same as nothing.

    ``api_credit_usd`` is what it pays of requests by key each month. ``includes`` says in words what is published of its limits.
    """

    name: _Name
    formerly: tuple[_Name, ...] = ()
    price_usd_month: _Usd | None
    api_credit_usd: _Usd | None
    includes: tuple[_Text, ...] = ()


class Class(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A class of workloads: at a list price of ``from_usd_month`` US dollars a month, or more. ``reason`` says why there."""

    id: _Id
    name: _Name
    from_usd_month: _Usd
    reason: _Text


class Alternative(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A model that the same tokens are priced on; ``id`` is its full name."""

    id: _Id


class Requests(_Dated, frozen=True, kw_only=True):
    """Bytes of the requests of one short question, measured: oneseat's, and the CLI's own with its defaults."""

    name: _Name
    lean_bytes: _Count
    usual_bytes: _Count


class Notice(_Dated, frozen=True, kw_only=True):
    """Something to know about plans, in a sentence."""

    text: _Text


class Enough(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """From how many days, and days with any use, a month may be spoken of. ``reason`` says why."""

    days: Annotated[int, msgspec.Meta(ge=1, le=366)]
    days_with_use: Annotated[int, msgspec.Meta(ge=1, le=366)]
    reason: _Text


class PlanBook(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything that advice rests on besides prices and what was measured. ``version`` is the day it was written."""

    version: _Date
    plans: tuple[Plan, ...]
    classes: tuple[Class, ...]
    alternatives: tuple[Alternative, ...]
    requests: tuple[Requests, ...]
    notices: tuple[Notice, ...]
    enough: Enough
