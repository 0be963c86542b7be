"""A request on its way through the stations. Each type is made by one station only, so none can be skipped.

Request -> policy -> Permitted -> billing gate -> Cleared -> routing -> Plan
              \\________________ Refused ________________/
"""

from __future__ import annotations

from typing import Literal

import msgspec

from .errors import ErrorInfo
from .facts import Capabilities
from .receipt import Evidence, PolicyStamp, Wallet

Author = Literal["owner", "owner_automation", "other_human", "anonymous", "unknown"]
Reader = Literal["owner", "owner_publishes", "third_party_direct", "customers", "unknown"]
WorkOwner = Literal["owner", "employer", "client", "other", "unknown"]


class Purpose(msgspec.Struct, frozen=True, kw_only=True):
    """Who wrote the request, who reads the answer, who owns the work: what the policy decides on."""

    author: Author = "owner"
    reader: Reader = "owner"
    work_owner: WorkOwner = "owner"


class Attachment(msgspec.Struct, frozen=True):
    """A file the caller attached on purpose. ``media_type`` is an IANA type; text is UTF-8."""

    name: str
    media_type: str
    data: bytes


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """What a caller wants. ``cwd`` is absolute; ``timeout_s`` bounds the whole run in seconds."""

    prompt: str
    cwd: str
    system: str | None = None
    model: str | None = None
    attachments: tuple[Attachment, ...] = ()
    purpose: Purpose = Purpose()
    timeout_s: float | None = None


class Refused(msgspec.Struct, frozen=True, kw_only=True):
    """A station said no. A value, not an exception: it is written to the ledger like any other end."""

    error: ErrorInfo
    policy: PolicyStamp | None = None
    wallet: Wallet = "unknown"
    evidence: tuple[Evidence, ...] = ()


class Permitted(msgspec.Struct, frozen=True, kw_only=True):
    """Policy allows the seat to serve this request."""

    request: Request
    policy: PolicyStamp


class Cleared(msgspec.Struct, frozen=True, kw_only=True):
    """The billing gate has seen which wallet would pay, and it is the planned one."""

    permitted: Permitted
    wallet: Wallet
    evidence: tuple[Evidence, ...]


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What will be sent, to whom, on which wallet."""

    cleared: Cleared
    provider: str
    model: str
    capabilities: Capabilities
