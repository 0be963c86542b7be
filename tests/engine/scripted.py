"""A provider that plays scripts, and the other ports in memory: the engine alone, in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

from oneseat.app.wiring import check_answer
from oneseat.contract.budgets import Budget, Budgets, Reservation, Share, Since, Spent
from oneseat.contract.errors import ErrorInfo, OneseatError
from oneseat.contract.events import Batch, Event, LimitSeen, Question, Started, Stderr, TextDelta, TurnEnded
from oneseat.contract.facts import (
    Account,
    CredentialFacts,
    KeyFacts,
    PayerFacts,
    ProviderFeatures,
    SessionInfo,
)
from oneseat.contract.history import SeenLimit
from oneseat.contract.policy import PlanKind, PolicyInputs, RecentActivity
from oneseat.contract.policy_pack import OwnerOverrides, PolicyState
from oneseat.contract.ports import Providers
from oneseat.contract.receipt import LimitReading, PolicyStamp, RunResult, SessionStamp, TokenUsage, Wallet
from oneseat.contract.request import Permission, Request
from oneseat.contract.routing import Candidate, Outcome, RouteTable
from oneseat.contract.sessions import EndReason, Exchange, Session
from oneseat.contract.stations import Dispatch, Permitted
from oneseat.engine.app import App
from oneseat.engine.budgets import BudgetContext
from oneseat.engine.deps import RunDeps
from oneseat.engine.limits import WindowGuard
from oneseat.engine.policy import PolicyContext
from oneseat.engine.sessions import SessionDeps
from oneseat.engine.watchdog import Timeouts
from oneseat.rules.policy.inputs import PolicyEnvironment
from oneseat.rules.runs.retry import RetryLimits
from oneseat.rules.runs.sessions import Nesting, SessionLimits
from oneseat.stores.policy.pack import bundled_pack
from oneseat.stores.prices import PriceTable
from oneseat.telemetry.dispatcher import Dispatcher
from oneseat.telemetry.records import EventLog
from oneseat.testing.virtual_time import elapse

ON_PLAN = CredentialFacts(account=Account(token_source="CLAUDE_CODE_OAUTH_TOKEN", api_provider="firstParty"))
ON_A_KEY = CredentialFacts(account=Account(api_key_source="ANTHROPIC_API_KEY", api_provider="firstParty"))
OF_KEY = KeyFacts(key="paid", place="the keyring", endpoint="https://example.test")
USED = TokenUsage(10, 5, 0, 0, 0)
NOTHING_USED = TokenUsage(0, 0, 0, 0, 0)


class Silence(NamedTuple):
    """Nothing comes for so long, in seconds."""

    seconds: float


class Script(NamedTuple):
    """What one process of the provider does. It dies after the last step unless that is a ``TurnEnded``.

    ``overtaken`` is what changes after the gate. ``together`` is whether what stands between two silences comes at once.
    """

    steps: Sequence[Event | Silence] = ()
    facts: PayerFacts | Silence | ErrorInfo = ON_PLAN
    together: bool = False
    overtaken: str | None = None


def started(api_key_source: str = "none", tools: tuple[str, ...] = ()) -> Started:
    return Started(
        run_id="r", provider="scripted", model=None, cwd="/", api_key_source=api_key_source, tools=tools
    )


def on_plan(overage: bool = False) -> LimitSeen:
    reading = LimitReading(
        window="five_hour", status="allowed", source="test", read_at="2026-11-20T12:00:00Z"
    )
    return LimitSeen(limit=reading, overage=overage)


def answer(text: str = "ok", **fields: Any) -> tuple[Event, ...]:
    ended = TurnEnded(**{"text": text, "usage": USED, "list_cost_usd": 0.25, **fields})
    return (started(), TextDelta(text=text), on_plan(), ended)


def failure(code: str, *, text: str = "", wait: float | None = None) -> tuple[Event, ...]:
    error = ErrorInfo(code=code, message="it failed", retry_after_s=wait)
    pieces = (TextDelta(text=text),) if text else ()
    usage, cost = (None, None) if text else (NOTHING_USED, 0.0)
    return (started(), *pieces, TurnEnded(text=text, error=error, usage=usage, list_cost_usd=cost))


class _Session:
    def __init__(self, script: Script) -> None:
        self._script = script
        self.info = SessionInfo()

    async def credential_facts(self) -> PayerFacts:
        match self._script.facts:
            case Silence(seconds):
                await elapse(seconds)
                return ON_PLAN
            case ErrorInfo() as error:
                raise OneseatError(error)
            case facts:
                return facts

    async def ready(self) -> bool:
        return True

    def overtaken(self) -> str | None:
        return self._script.overtaken

    async def send(self, dispatch: Dispatch) -> AsyncIterator[Batch]:
        came: list[Event] = []
        for step in (*self._script.steps, Silence(0)):
            if not isinstance(step, Silence):
                came.append(step)
            if came and (not self._script.together or isinstance(step, Silence | TurnEnded)):
                yield came
                came = []
            if isinstance(step, TurnEnded):
                return
            if isinstance(step, Silence):
                await elapse(step.seconds)
        raise OneseatError(ErrorInfo(code="provider.crashed", message="it died"))

    def say(self, text: str) -> AsyncIterator[Batch]:
        raise NotImplementedError

    async def answer(self, question: Question, permission: Permission) -> None:
        raise NotImplementedError

    def stderr(self) -> Stderr | None:
        return None

    async def interrupt(self) -> None:
        pass


class ScriptedProvider:
    """Plays one script for each process it starts, the last one again and again. Notes when each was started, and with what."""

    default_model = "sonnet"
    warm_pool = None
    transcripts = None
    features = ProviderFeatures(
        tools=True, mcp=True, functions=True, schema=True, sessions=True, process=True
    )

    def of(self, candidate: Candidate) -> ScriptedProvider:
        return self

    def __init__(self, scripts: Sequence[Script], name: str = "scripted", wallet: Wallet = "plan") -> None:
        self.name, self.wallet = name, wallet
        self.opened_at: list[float] = []
        self.models: list[str | None] = []
        self._scripts = list(scripts)

    @asynccontextmanager
    async def open(
        self, permitted: Permitted, run_id: str, session: SessionStamp | None = None
    ) -> AsyncIterator[_Session]:
        self.opened_at.append(asyncio.get_running_loop().time())
        self.models.append(permitted.request.model)
        yield _Session(self._scripts.pop(0) if len(self._scripts) > 1 else self._scripts[0])

    @asynccontextmanager
    async def conversation(self) -> AsyncIterator[ScriptedProvider]:
        yield self


class Bundled:
    """The rules as they come with oneseat, and no word of the owner."""

    def read(self) -> PolicyState:
        return PolicyState(bundled_pack(), bundled=True, word=OwnerOverrides())


class Memory:
    """A ledger, conversations and locks that outlive nothing."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.writes: list[int] = []
        self.results: list[RunResult] = []
        #: What the owner says of their plan.
        self.plan: PlanKind | None = None
        self.decisions: list[tuple[PolicyStamp, PolicyInputs]] = []
        self.ends: list[tuple[str, Outcome]] = []
        self.seen: dict[str, list[SeenLimit]] = {}
        self.routed_to: list[tuple[str, str, str | None]] = []
        #: What a run had used when it went on to each of those, in US dollars.
        self.used: list[float] = []

    async def begin(self, run_id: str, request: Request, provider: str) -> None:
        pass

    async def routed(
        self, run_id: str, provider: str, paid_from: str, key_name: str | None, used_usd: float
    ) -> None:
        self.routed_to.append((provider, paid_from, key_name))
        self.used.append(used_usd)

    async def decided(self, run_id: str, stamp: PolicyStamp, inputs: PolicyInputs) -> None:
        self.decisions.append((stamp, inputs))

    async def recent_activity(self, provider: str, now: float, *, simulated: bool) -> RecentActivity:
        return RecentActivity()

    async def record(self, run_id: str, *events: Event) -> None:
        self.events += events
        self.writes.append(len(events))

    async def finish(self, result: RunResult) -> None:
        self.results.append(result)

    async def reserve(
        self, run_id: str, wallet: Wallet, bounds: tuple[Budget, ...], since: Since, share: Share
    ) -> tuple[tuple[Spent, ...], Reservation | None]:
        nothing = tuple(Spent(bound, 0.0, 0.0) for bound in bounds if bound.period != "run")
        return nothing, share(nothing)

    async def limits(self, provider: str, now: float, *, simulated: bool) -> list[SeenLimit]:
        return self.seen.get(provider, [])

    async def live_session(self, project: str, cwd: str, wallet: Wallet, provider: str) -> Session | None:
        return None

    async def use_session(self, session: Session, run_id: str, replaces: EndReason) -> None:
        pass

    async def outcomes(self, candidate: Candidate, since: float) -> list[Outcome]:
        return [end for label, end in self.ends if label == candidate.label and end.at >= since]

    async def note_outcome(self, candidate: Candidate, outcome: Outcome) -> None:
        self.ends.append((candidate.label, outcome))

    async def exchanges(self, session_id: str) -> tuple[Exchange, ...]:
        return ()

    @asynccontextmanager
    async def held(self, project: str, run_id: str, wait_s: float) -> AsyncIterator[None]:
        yield


class Slots:
    """A slot that is free at once, for whoever asks for one."""

    taken = True

    async def wait(self) -> None:
        pass

    def release(self) -> None:
        pass

    @asynccontextmanager
    async def run(self) -> AsyncIterator[Slots]:
        yield self

    @asynccontextmanager
    async def start(self, provider: str, cwd: str) -> AsyncIterator[Slots]:
        yield self


class LoopClock:
    """The clock of the event loop, which is virtual in these tests."""

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()

    def utc_iso(self) -> str:
        return "2026-11-20T12:00:00Z"


async def anything(provider: str) -> None:
    """Admit every program."""


class Several:
    """Scripted providers by their names."""

    def __init__(self, *providers: ScriptedProvider) -> None:
        self._by_name = {provider.name: provider for provider in providers}

    def of(self, candidate: Candidate) -> ScriptedProvider:
        if candidate.provider not in self._by_name:
            raise OneseatError(ErrorInfo(code="provider.not_found", message="it is not installed"))
        return self._by_name[candidate.provider]


def scripted_app(
    provider: ScriptedProvider,
    memory: Memory,
    providers: Providers | None = None,
    routes: RouteTable | None = None,
    /,
    *,
    chance: float = 0.5,
    **timeouts: float,
) -> App:
    """An app on ``provider``. ``chance`` is what the random source always says."""
    deps = RunDeps(
        provider=provider,
        providers=providers or provider,
        routes=routes or RouteTable(),
        outcomes=memory,
        ledger=memory,
        clock=LoopClock(),
        policy=PolicyContext(
            Bundled(), memory, PolicyEnvironment(plan=memory.plan), lambda: 0.0, lambda pack: pack.meta.as_of
        ),
        timeouts=Timeouts(**timeouts),
        sessions=SessionDeps(memory, memory, SessionLimits()),
        slots=Slots(),
        budgets=BudgetContext(
            PriceTable(),
            memory,
            Budgets(),
            lambda: Since(day="2026-11-20T00:00:00Z", month="2026-11-01T00:00:00Z"),
        ),
        nesting=Nesting(),
        retry=RetryLimits(),
        chance=lambda: chance,
        telemetry=Dispatcher((), EventLog(lambda text: text)),
        admit=anything,
        foresee=nothing_foreseen,
        windows=WindowGuard(memory, None, lambda: asyncio.get_running_loop().time()),
        check_answer=check_answer,
    )
    return App(deps, iter_ids().__next__)


async def nothing_foreseen(_: Candidate) -> ErrorInfo | None:
    """No candidate is known to fail."""
    return None


def iter_ids() -> Iterator[str]:
    """Run ids, one after the other."""
    yield from map(str, range(1, 100))
