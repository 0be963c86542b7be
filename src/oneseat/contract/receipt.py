"""The receipt and the result of a run: the JSON that `--json` prints, field for field."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Generic, Literal, Union

import msgspec
from msgspec import UNSET, UnsetType

from .errors import ErrorInfo, OneseatError

if TYPE_CHECKING:
    from types import UnionType
    from typing import TypeAlias, _SpecialForm

    from typing_extensions import TypeVar

    #: The type of a structured answer; ``Any`` where none was named.
    T = TypeVar("T", default=Any)
    #: A JSON Schema, or a Python type: a class, or a form such as ``Circle | Square`` or ``Literal["yes", "no"]``.
    Kind: TypeAlias = "type[T] | UnionType | _SpecialForm | Mapping[str, Any] | None"
else:
    from typing import TypeVar

    T = TypeVar("T")
    Kind = Union[type[T], Mapping[str, Any], None]  # noqa: UP007 - what `|` makes takes no parameter

Wallet = Literal["plan", "plan_overage", "api_key", "cloud", "simulator", "unknown"]
Verdict = Literal["verified", "unverified", "misbilled", "nothing_sent"]
Status = Literal["completed", "refused", "failed", "cancelled"]
Tier = Literal["GREEN", "GREY", "RED"]
#: Who says what the tokens cost: the official CLI, our own table of prices (an estimate), or nobody.
CostSource = Literal["cli", "price_table", "unknown"]
#: When a piece of evidence was seen: before the prompt was sent, while the run went on, or with its result.
When = Literal["before", "during", "after"]


class Evidence(msgspec.Struct, frozen=True):
    """One observed fact about who pays. Values are names of sources and states, never credentials."""

    what: str
    value: str | bool | None
    when: When


#: More US dollars than this cost no run, and no turn of one.
MOST_USD = 10**7
#: More tokens than this in a request, or in all requests of a run, is no count: it would overflow every sum made of it.
MOST_TOKENS = 10**12


class TokenUsage(msgspec.Struct, frozen=True):
    """Tokens by kind, as the provider counted them. ``None`` is not known; 0 is known to be none.

    A count that cannot be one, negative or above ``MOST_TOKENS``, is not known.
    """

    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read_tokens: int | None = None
    cache_write_5m_tokens: int | None = None
    cache_write_1h_tokens: int | None = None

    def __post_init__(self) -> None:
        for name, value in zip(self.__struct_fields__, msgspec.structs.astuple(self), strict=True):
            if value is not None and not 0 <= value <= MOST_TOKENS:
                msgspec.structs.force_setattr(self, name, None)

    @property
    def is_known(self) -> bool:
        """Whether it says what was read and what was written: without either, nobody can say what it cost."""
        return self.input_tokens is not None and self.output_tokens is not None

    @property
    def is_positive(self) -> bool:
        """Whether it says that at least one token was used."""
        return any(msgspec.structs.astuple(self))


def cost_or_none(usd: float | None) -> float | None:
    """A cost in US dollars; ``None`` where it is not known, and where it cannot be one: negative, above ``MOST_USD``, NaN."""
    return usd if usd is not None and 0 <= usd <= MOST_USD else None


NO_TOKENS = TokenUsage(0, 0, 0, 0, 0)


#: A window can be used to more than it holds, 104 %. What is above this is no share: a moment has been seen in its place.
_MOST_SHARE = 100.0


def share_or_none(share: float | None) -> float | None:
    """How full a window is, 1 is full; ``None`` where it is not known, and where it cannot be one."""
    return round(share, 6) if share is not None and 0 <= share <= _MOST_SHARE else None


class LimitReading(msgspec.Struct, frozen=True, kw_only=True):
    """One usage window as one source reported it.

    ``used`` is a share, 1 is full; it is ``None`` when the source did not say; ``resets_at`` and ``read_at`` are ISO 8601 UTC.
    """

    window: str
    status: str
    used: float | None = None
    resets_at: str | None = None
    source: str
    read_at: str


class PolicyStamp(msgspec.Struct, frozen=True):
    """Which rule of which policy pack allowed or refused the run.

    ``confirmed`` is when the owner confirmed in writing that such work may be done on the plan, ISO 8601 UTC. ``expires`` is
    the day from which the pack allows nothing on the plan (ISO 8601), in the last 30 days before it; else ``None``.
    """

    tier: Tier
    rule: str
    pack: str
    confirmed: str | None = None
    expires: str | None = None


class SessionStamp(msgspec.Struct, frozen=True):
    """Which conversation the run belonged to. ``message`` counts from 1."""

    id: str
    resumed: bool
    message: int


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """What a run proves: who paid, how that is known, what it used. Unknown money and limits are ``None``, never 0.

    ``cost_usd`` is what was really charged as far as known (0.0 on
    the plan) and ``equivalent_cost_usd`` the list price of the same tokens, both in US dollars. ``provider`` is ``None`` when
    nothing was started. ``requested_model`` is the model that was asked for where another one, ``model``, has answered.
    ``web_searches`` is there only if the vendor searched the web for the run.
    """

    provider: str | None
    model: str | None
    wallet: Wallet
    expected_wallet: Wallet
    verdict: Verdict
    evidence: tuple[Evidence, ...] = ()
    usage: TokenUsage = TokenUsage()
    web_searches: int | UnsetType = UNSET
    cost_usd: float | None = None
    equivalent_cost_usd: float | None = None
    cost_source: CostSource = "unknown"
    limits: tuple[LimitReading, ...] = ()
    policy: PolicyStamp | None = None
    cli_version: str | None = None
    attempts: int = 0
    first_token_ms: int | None = None
    duration_ms: int = 0
    upstream_requests: int | None = None
    requested_model: str | None = None


class AnswerShape(msgspec.Struct, frozen=True, kw_only=True):
    """How the object that a provider returns becomes the answer.

    ``field`` is where the object holds an answer that is no object itself, such as a list. ``make`` turns plain JSON into the
    caller's own type; it raises what that type raises for a value that it refuses.
    """

    field: str | None = None
    make: Callable[[Any], Any] | None = None

    def plain(self, structure: Any) -> Any:
        """The answer as plain JSON, out of the object that held it."""
        if self.field is None or not isinstance(structure, dict):
            return structure
        return structure.get(self.field, structure)


#: Where a result keeps what ``parsed`` returns: no field, as it is no part of the JSON that commands print.
_PARSED = "_parsed"


class RunResult(msgspec.Struct, Generic[T], frozen=True, kw_only=True, dict=True):
    """Everything a caller gets back from one run, whatever its end. ``denials`` names the tools that were not allowed.

    ``structured`` is the structured answer as plain JSON, ``parsed`` the same as the type that ``schema`` named.
    """

    run_id: str
    status: Status
    text: str
    structured: Any = None
    error: ErrorInfo | None = None
    session: SessionStamp | None = None
    receipt: Receipt
    denials: tuple[str, ...] = ()

    @property
    def parsed(self) -> T:
        """The structured answer as an instance of the type that ``schema`` named, or as plain JSON where it was a JSON Schema.

        ``None`` without a schema. Raises ``RunFailed`` when the run failed: there is no answer to trust then.
        """
        if self.error is not None:
            raise RunFailed(self.error, self)
        value: T = self.__dict__.get(_PARSED, self.structured)
        return value

    def __reduce__(self) -> tuple[Any, ...]:
        # The inherited one leaves out what is no field: a pickled result would come back without its instance.
        return _rebuilt, (type(self), msgspec.structs.asdict(self), self.__dict__)


def with_parsed(result: RunResult, value: object) -> RunResult:
    """``result``, whose ``parsed`` returns ``value`` from now on."""
    msgspec.structs.force_setattr(result, _PARSED, value)
    return result


def _rebuilt(kind: type[RunResult], fields: dict[str, Any], more: dict[str, Any]) -> RunResult:
    return with_parsed(kind(**fields), more[_PARSED]) if more else kind(**fields)


class RunFailed(OneseatError):  # noqa: N818 - reads as what happened, like the event `Failed`
    """Raised when a run ended without an answer that can be trusted. ``result`` holds all that was received, and the receipt."""

    def __init__(self, info: ErrorInfo, result: RunResult) -> None:
        super().__init__(info)
        self.result = result

    def __reduce__(self) -> tuple[type[RunFailed], tuple[ErrorInfo, RunResult]]:  # type: ignore[override]
        # Without this, the error fails to unpickle when it crosses a process boundary.
        return type(self), (self.info, self.result)
