"""What the engine needs from the outside world. Adapters implement these; the engine knows nothing else of them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from .events import Batch, Event, Question, Stderr
from .facts import PayerFacts, ProviderFeatures, SessionInfo
from .history import SeenLimit
from .policy import PolicyInputs, RecentActivity
from .policy_pack import PolicyState
from .receipt import PolicyStamp, RunResult, SessionStamp, Wallet
from .request import Permission, Request
from .routing import Candidate, Outcome
from .sessions import EndReason, Exchange, Session
from .stations import Dispatch, Permitted
from .warm import WarmProcess


class ProviderSession(Protocol):
    """One opened provider, ready to take one prompt. Nothing has been spent yet."""

    async def credential_facts(self) -> PayerFacts:
        """Ask who would pay. Sends nothing upstream. Raises ``OneseatError`` when the provider cannot answer."""

    @property
    def info(self) -> SessionInfo:
        """What the provider offered; known after ``credential_facts``."""

    async def ready(self) -> bool:
        """Whether all that the run needs besides the model is there; after a no, ask again. Sends nothing upstream.

        Raises ``OneseatError`` when it will not come: ``incomplete.servers_missing``, ``incomplete.tools_missing``.
        """

    def overtaken(self) -> str | None:
        """The file or folder whose change makes what ``credential_facts`` said doubtful; ``None`` without one. Takes no time."""

    def send(self, dispatch: Dispatch) -> AsyncIterator[Batch]:
        """Send the prompt and yield events up to and including one ``TurnEnded``, those that come together in one piece.

        A ``Question`` is the last of its piece, as it has to be answered first. Raises ``OneseatError`` when the provider dies,
        goes silent or prints what cannot be read.
        """

    def say(self, text: str) -> AsyncIterator[Batch]:
        """Send a further message in the same conversation; yields and raises like ``send``."""

    async def answer(self, question: Question, permission: Permission) -> None:
        """Answer a question that the provider asked. Raises ``OneseatError`` when the provider is gone."""

    def stderr(self) -> Stderr | None:
        """What the provider printed beside its answers, whole once its context was left; ``None`` when that is nothing."""

    async def interrupt(self) -> None:
        """Ask the provider to stop the turn at once. Returns when it was told, not when it stopped."""


class Provider(Protocol):
    """An adapter to one assistant."""

    @property
    def name(self) -> str:
        """The provider's name as receipts carry it."""

    @property
    def wallet(self) -> Wallet:
        """The wallet this provider is planned to be paid from."""

    @property
    def default_model(self) -> str:
        """The model of a request that names none."""

    @property
    def features(self) -> ProviderFeatures:
        """What it can be asked for."""

    def open(
        self, permitted: Permitted, run_id: str, session: SessionStamp | None = None
    ) -> AbstractAsyncContextManager[ProviderSession]:
        """Start the provider for one run. Leaving the context ends every process it started.

        ``session`` is the conversation to begin or to go on with; without it, the run is one of its own and leaves no trace.
        Asked who pays, a provider that has no such conversation raises ``OneseatError`` ``provider.session_lost``.
        """

    def conversation(self) -> AbstractAsyncContextManager[Provider]:
        """The same provider, whose runs are one conversation that ends with this context."""

    @property
    def warm_pool(self) -> WarmPool | None:
        """Its processes that were started ahead; ``None`` where none are."""

    @property
    def transcripts(self) -> Transcripts | None:
        """Its own records of conversations; ``None`` where it keeps none."""


class WarmPool(Protocol):
    """Processes that were started ahead of the runs they will serve."""

    @property
    def idle(self) -> tuple[WarmProcess, ...]:
        """Those that wait now."""

    async def change(self) -> None:
        """Wait until ``idle`` has changed."""


class Transcripts(Protocol):
    """A provider's own records of its conversations."""

    async def transcript_bytes(self, session_id: str, cwd: str) -> int:
        """The size of the record of a conversation in this directory; 0 when it is not known."""

    async def written_bytes(self, session_id: str, cwd: str) -> int:
        """All that was written for a conversation, also by its subagents: it grows while they work and print nothing."""


class KeySource(Protocol):
    """API keys by name; a provider is given a source that knows its own key only."""

    def get(self, name: str) -> str:
        """The key, read anew: use it and forget it. Empty where none is needed.

        Blocks until a locked keyring is opened, a minute at most, so a thread is the place to call it. Raises ``OneseatError``:
        ``provider.no_key`` where there is none, ``provider.keyring_missing``, ``provider.keyring_unusable``,
        ``provider.key_file_open``, ``provider.key_file_unusable``, ``provider.bad_key`` and ``policy.login_as_key`` for what is
        no key, ``usage.unknown_key`` for a name that is not the provider's.
        """


class Providers(Protocol):
    """All adapters that the settings allow."""

    def of(self, candidate: Candidate) -> Provider:
        """The provider of a candidate. Raises ``OneseatError`` when this machine or the settings do not have it."""


class Outcomes(Protocol):
    """How candidates have done lately, over all processes."""

    async def outcomes(self, candidate: Candidate, since: float) -> list[Outcome]:
        """Its ends since a moment in seconds since 1970, the newest last. Raises ``UsageError``."""

    async def note_outcome(self, candidate: Candidate, outcome: Outcome) -> None:
        """Write one down. Raises ``UsageError``."""


class LiveRuns(Protocol):
    """Which runs go on, for the processes of all PID namespaces that share this machine's folders."""

    def hold(self, run_id: str) -> None:
        """A run of this process begins. Raises ``UsageError`` when the folder cannot be written."""

    def release(self, run_id: str) -> None:
        """It has ended. Does nothing when it is not held here."""

    def release_all(self) -> None:
        """All that are held here have ended."""


class Ledger(Protocol):
    """Where runs are written before anybody hears of them."""

    async def begin(self, run_id: str, request: Request, provider: str) -> None:
        """Record that a run exists. Raises ``UsageError`` when the ledger cannot be written."""

    async def decided(self, run_id: str, stamp: PolicyStamp, inputs: PolicyInputs) -> None:
        """Record what the policy said of a run, and by what. Raises ``UsageError`` when the ledger cannot be written."""

    async def routed(
        self, run_id: str, provider: str, paid_from: str, key_name: str | None, used_usd: float
    ) -> None:
        """Record which provider a run goes to next, what that is paid from (plan, api_credits, api_key) and by which key.

        Of what was reserved for the run, ``used_usd`` is kept, its list price so far in US dollars; the rest is given back.
        Raises ``UsageError`` when the ledger cannot be written.
        """

    async def record(self, run_id: str, *events: Event) -> None:
        """Append events, all or none of them. Raises ``UsageError`` when the ledger cannot be written."""

    async def finish(self, result: RunResult) -> None:
        """Record how a run ended. Raises ``UsageError`` when the ledger cannot be written."""


class RunHistory(Protocol):
    """What was asked of the seats lately, over all processes."""

    async def recent_activity(self, provider: str, now: float, *, simulated: bool) -> RecentActivity:
        """The runs of a seat up to ``now``, in seconds since 1970. Raises ``UsageError`` when the ledger cannot be read."""


class PolicySource(Protocol):
    """The policy in force."""

    def read(self) -> PolicyState:
        """The pack and the owner's word as they are now. Raises ``UsageError`` ``usage.bad_policy_pack``."""


class LimitHistory(Protocol):
    """What was reported of usage windows."""

    async def limits(self, provider: str, now: float, *, simulated: bool) -> list[SeenLimit]:
        """Reports about a provider's windows, the newest last; ``now`` is in seconds since 1970. Raises ``UsageError``."""


class Sessions(Protocol):
    """The conversations of the projects. Every method raises ``UsageError`` when they cannot be read or written."""

    async def live_session(self, project: str, cwd: str, wallet: Wallet, provider: str) -> Session | None:
        """The conversation that the next run of a project in this directory would continue."""

    async def use_session(self, session: Session, run_id: str, replaces: EndReason) -> None:
        """Record that a run sends a message in ``session``. Any other one of its place has ended."""

    async def exchanges(self, session_id: str) -> tuple[Exchange, ...]:
        """What was last said in a conversation, or in a run of this id, the latest at the end. Nothing when no text is kept."""


class ProjectLocks(Protocol):
    """One run at a time per project, across processes."""

    def held(self, project: str, run_id: str, wait_s: float) -> AbstractAsyncContextManager[None]:
        """Hold a project, waiting up to ``wait_s`` seconds. Raises ``UsageError`` ``usage.project_busy``."""


class Watcher(Protocol):
    """Receives what happens in one run. All calls come in order, from a thread; one that raises is the last."""

    def saw(self, event: Event, at_ns: int) -> None:
        """A durable event, with its moment in nanoseconds since the epoch."""

    def ended(self, result: RunResult, at_ns: int) -> None:
        """How the run ended, and when."""


class Observer(Protocol):
    """Observes runs, for a log or a trace. It can neither slow nor break one."""

    def watch(self, run_id: str, request: Request, provider: str, at_ns: int) -> Watcher:
        """A run has begun. Called in a thread, within the context (``contextvars``) of whoever began it."""


class RunNotifier(Protocol):
    """Takes the events of one run. Never blocks and never raises."""

    def saw(self, event: Event) -> None:
        """An event is passed on."""

    async def ended(self, result: RunResult) -> None:
        """The run has ended. Returns when all observers were called, or after a moment."""


class Dispatcher(Protocol):
    """Passes runs to observers."""

    def began(self, run_id: str, request: Request, provider: str) -> RunNotifier:
        """A run begins."""


class Slot(Protocol):
    """A slot, or a request for one."""

    @property
    def taken(self) -> bool:
        """Whether it is held or not needed."""

    async def wait(self) -> None:
        """Wait for the slot. Raises ``UsageError`` when the queue cannot be read."""

    def release(self) -> None:
        """Release it early. Does nothing when it is not held."""


class RunSlots(Protocol):
    """Slots for runs and starts, shared by all processes. Methods raise ``UsageError`` when the files cannot be used."""

    def run(self) -> AbstractAsyncContextManager[Slot]:
        """A slot for a run, released on exit."""

    def start(self, provider: str, cwd: str) -> AbstractAsyncContextManager[Slot]:
        """A slot to start a provider in ``cwd``; one at a time while its login is about to be renewed."""


class Clock(Protocol):
    """Time as the engine needs it."""

    def monotonic(self) -> float:
        """Seconds that never go back."""

    def utc_iso(self) -> str:
        """Now, ISO 8601 in UTC with a trailing ``Z``."""
