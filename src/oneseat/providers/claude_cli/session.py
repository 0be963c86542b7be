"""One process of the official CLI, from the first control request to the end of its turn."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from oneseat.contract.events import Batch, Event, Question, Started, Stderr, TurnEnded
from oneseat.contract.facts import CredentialFacts, CredentialSource, SessionInfo
from oneseat.contract.receipt import LimitReading
from oneseat.contract.request import Permission, Request
from oneseat.contract.stations import Dispatch
from oneseat.providers.cli_common.lines import Undecoded
from oneseat.providers.schemas import portable

from . import account, credentials, discovery, messages, wire
from .functions import FunctionServer
from .limits import limits_of
from .mcp import McpReadiness
from .parse import Parser
from .preflight import Preflight, run_preflight
from .process import CliProcess, PromptConfig

#: The CLI's own instructions are 27 kB and speak of tools that the run does not have.
DEFAULT_SYSTEM = "Answer the request directly."
#: How many events are handed on together at most: they stay in memory until their transaction is written.
_TOGETHER = 1000
#: How long the CLI may take to read that it is interrupted, in seconds.
_INTERRUPT_S = 1.0


class RunContext(msgspec.Struct, frozen=True):
    """What is known of a run outside of its process: the request, and what lies around the caller and is kept from the CLI."""

    request: Request
    model: str
    withheld: tuple[CredentialSource, ...]
    simulated: bool
    resumed: bool = False
    mcp_start_s: float = 30.0


class ClaudeSession:
    """Implements ``ProviderSession``: one run of a process."""

    def __init__(
        self, process: CliProcess, context: RunContext, parser: Parser, redact: Callable[[str], str]
    ) -> None:
        self._process = process
        self._channel = process.channel
        request = context.request
        self._functions = FunctionServer(request.functions, self._channel.write, redact)
        self._mcp = McpReadiness(request, process.env, context.mcp_start_s, self._ask, redact)
        self._context = context
        self._parser = parser
        # Of a window that is full, an earlier run of the process was told; this one may only be told that it is refused.
        parser.limit = process.limit
        self._early: list[Event] = []
        self._ended = False
        self._cost_before = process.cost
        self._limit_seen = False
        self._clean = False
        self._sent = False
        self.info = SessionInfo()

    @property
    def turn_ended(self) -> bool:
        return self._ended

    @property
    def sent(self) -> bool:
        return self._sent

    @property
    def clean(self) -> bool:
        """Whether the turn ended without an error, so that the process is good for another."""
        return self._ended and self._clean

    async def credential_facts(self) -> CredentialFacts:
        """Ask the CLI who it would bill, and look at what really reached it. Sends nothing upstream.

        Raises ``OneseatError`` (``provider.*``) when the CLI dies, is too old, or prints what cannot be read.
        """
        # Before the CLI answers: what changes while it does is noticed directly before the prompt is sent.
        self._process.watch.look()
        opened, settings = await self._preflight()
        await self._learn_capabilities(opened)
        context, process = self._context, self._process
        # Only now: a script around the CLI can write these files after it was started and before the CLI reads them. What
        # was there at the start counts as well: a process that waited may have read what is gone by now.
        reaching = dict.fromkeys((*process.reached, *credentials.reaching(process.env, process.cwd)))
        pid = opened.get("pid")
        seen = process.look(pid if isinstance(pid, int) else None)
        exposed = (*reaching, *account.settings_sources(settings), *seen.sources)
        reached = {(source.name, source.scope) for source in exposed}
        return CredentialFacts(
            account=account.account_of(opened, self._channel.redact),
            # A script that switches settings files on again undoes the keeping.
            withheld=tuple(
                source for source in context.withheld if (source.name, source.scope) not in reached
            ),
            exposed=exposed,
            simulated=context.simulated,
            child_checked=seen.readable,
            tampering=seen.tampering,
            bad_token=credentials.token_fault(process.env),
        )

    async def ready(self) -> bool:
        """Whether the run's MCP servers and tools are there; after a no, ask again. Sends nothing upstream.

        Raises ``OneseatError``: ``incomplete.servers_missing``, ``incomplete.tools_missing``, and ``provider.*``.
        """
        there = await self._mcp.check()
        if there and self._context.request.mcp_servers:
            # A server may leave the CLI's session and drop the marker: from here on it is known by its pid and start time.
            await self._process.child.note_descendants()
        return there

    def overtaken(self) -> str | None:
        return self._process.watch.changed()

    async def send(self, dispatch: Dispatch) -> AsyncIterator[Batch]:
        process = self._process
        self._sent = True
        process.runs, process.answering = process.runs + 1, False
        process.first_message = str(uuid.uuid4()) if process.rewindable else None
        request = dispatch.request
        message = messages.user_message(request, dispatch.background, process.first_message)
        async for batch in self._turn(message, self._early):
            yield batch

    async def say(self, text: str) -> AsyncIterator[Batch]:
        async for batch in self._turn(messages.text_message(text)):
            yield batch

    async def answer(self, question: Question, permission: Permission) -> None:
        allowed = question.input if permission.allowed else None
        await self._channel.write(messages.permission(question.id, allowed, permission.why))

    async def _turn(self, message: bytes, early: Sequence[Event] = ()) -> AsyncIterator[Batch]:
        # Before anything is handed over: a caller may take its time, and the payer was checked just now.
        await self._channel.write(message)
        self._ended = False
        for event in early:
            yield (event,)
        while not self._ended:
            if not await self._channel.more():
                raise await self._channel.death("before it reported a result")
            if came := self._came():
                yield came

    def _came(self) -> list[Event]:
        """What the lines that have come mean, up to a question or the end of the turn, as far as one transaction takes it."""
        process, lines = self._process, self._channel.lines
        came: list[Event] = []
        while lines and len(came) < _TOGETHER:
            line = lines.popleft()
            if type(line) is wire.StreamEvent:
                # Nearly every line is one: it ends nothing, asks nothing and reports no limit.
                process.answering = True
                came.append(self._parser.piece(line))
                continue
            self._attend(line)
            events = self._parser.events(line)
            for event in events:
                if isinstance(event, TurnEnded):
                    came += self._end(event)
                    return came
                came.append(self._placed(event))
            if isinstance(line, wire.RateLimitLine):
                self._limit_seen, process.limit, process.limits = True, line.rate_limit_info, tuple(events)
            elif isinstance(line, wire.ControlRequest):
                return came
        return came

    def _placed(self, event: Event) -> Event:
        # A process that waited did so in an empty folder of its own; the run belongs to its caller's directory all the same.
        cwd = self._context.request.cwd
        if isinstance(event, Started) and self._process.cwd != cwd:
            return msgspec.structs.replace(event, cwd=cwd)
        return event

    def _end(self, ended: TurnEnded) -> Iterator[Event]:
        process = self._process
        self._ended = True
        self._clean = ended.error is None
        if not self._limit_seen:
            # The CLI reports limits when they change: that it says nothing in a later run means that they are as they were.
            yield from process.limits
        # It goes on counting where an earlier run of the process, or of the conversation, stopped (2.1.329): their costs
        # would be paid for again.
        before, process.cost = self._cost_before, ended.list_cost_usd
        cost = None if before is None or process.cost is None else round(process.cost - before, 9)
        yield msgspec.structs.replace(ended, list_cost_usd=cost)

    def stderr(self) -> Stderr | None:
        return self._channel.stderr()

    async def interrupt(self) -> None:
        # Stopped in the middle of a long prompt, it never empties its input: the pipe is full, and writing would last for ever.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_INTERRUPT_S):
                await self._channel.send("interrupt")

    async def stop(self, patience_s: float) -> None:
        async with asyncio.timeout(patience_s):
            await self.interrupt()
            while not self._ended:
                if not await self._channel.more():
                    raise await self._channel.death("before its turn ended")
                line = self._channel.lines.popleft()
                for event in self._parser.events(line):
                    if isinstance(event, TurnEnded):
                        list(self._end(event))

    async def _preflight(self) -> Preflight:
        process = self._process
        if process.prefetch is not None:
            prefetch, process.prefetch = process.prefetch, None
            found = await prefetch.result()
            if found is not None:
                return found
        if process.prompt_config is not None:
            found = await run_preflight(process, self._keep_early)
            if process.cost is None:  # an interrupted turn does not say what it cost
                process.cost = self._cost_before = _cost_so_far(await self._ask("get_usage"))
            return found
        prompt_config = prompt_config_of(self._context.request)
        # The instructions travel here and not on the command line, which other users can read.
        options: dict[str, Any] = {"systemPrompt": prompt_config.system}
        if prompt_config.schema is not None:
            options["jsonSchema"] = msgspec.Raw(prompt_config.schema)
        found = await run_preflight(process, self._keep_early, **options)
        process.prompt_config = prompt_config
        if self._context.resumed:
            process.cost = self._cost_before = _cost_so_far(await self._ask("get_usage"))
        return found

    async def limits(self, read_at: str) -> tuple[LimitReading, ...]:
        """What the CLI says of the plan's windows, as of ``read_at`` (ISO 8601 UTC). Sends nothing upstream.

        Raises ``OneseatError`` (``provider.*``) when the CLI dies or prints what cannot be read.
        """
        # Without the scan of all transcripts, which other answers to the same question hold.
        return limits_of(await self._ask("get_usage", skip_behaviors=True), read_at, self._channel.redact)

    async def stop_functions(self) -> None:
        """Cancel the calls of the caller's functions that go on."""
        await self._functions.close()

    async def _ask(self, subtype: str, **fields: Any) -> dict[str, Any]:
        return await self._channel.ask(subtype, self._keep_early, **fields)

    def _keep_early(self, line: wire.KnownLine | Undecoded) -> None:
        self._attend(line)
        self._early.extend(self._parser.events(line))

    def _attend(self, line: wire.KnownLine | Undecoded) -> None:
        """Answer what the CLI asks of its host. Permissions are the caller's to give."""
        if isinstance(line, wire.ControlRequest) and line.request.subtype != "can_use_tool":
            # What this version cannot answer is said to be so: left unanswered, the CLI would wait for ever.
            self._functions.take(line)

    async def _learn_capabilities(self, opened: dict[str, Any]) -> None:
        process = self._process
        version = process.version or opened.get("claude_code_version")
        if not isinstance(version, str):
            # Older CLIs do not name themselves in this answer.
            version = await discovery.ask_version(process.executable, process.env)
        # Known also where what follows fails: it is what the failure is about.
        self.info = SessionInfo(cli_version=version)
        discovery.check_version(version)
        self.info = _capabilities(opened.get("models"), version)
        process.learn(version, self.info.models)
        await self._adapt(self._context.model, prompt_config_of(self._context.request))

    async def _adapt(self, model: str, prompt_config: PromptConfig) -> None:
        """Have a process that was opened before go on with this run's model and instructions."""
        process = self._process
        if (model, prompt_config) == (process.model, process.prompt_config):
            return
        if process.can_switch(model) and process.accepts(prompt_config):
            told = {} if prompt_config == process.prompt_config else {"system_prompt": prompt_config.system}
            await self._ask("set_model", model=model, **told)
            process.model, process.prompt_config = model, prompt_config
        else:
            # It was offered when the process was chosen and is not any more: another login, perhaps.
            self.info = msgspec.structs.replace(self.info, unresolved=(model,))


def prompt_config_of(request: Request) -> PromptConfig:
    """What a process is told when it is opened for this request."""
    schema = (
        None
        if request.schema is None
        else msgspec.json.encode(portable(request.schema), order="deterministic")
    )
    return PromptConfig(request.system or DEFAULT_SYSTEM, schema)


def _cost_so_far(usage: dict[str, Any]) -> float | None:
    """What the conversation had cost, at list price in US dollars, before this run."""
    session = usage.get("session")
    cost = session.get("total_cost_usd") if isinstance(session, dict) else None
    return float(cost) if isinstance(cost, int | float) else None


def _capabilities(models: object, version: str | None) -> SessionInfo:
    entries = [model for model in models if isinstance(model, dict)] if isinstance(models, list) else []
    resolved = {model.get("value"): model.get("resolvedModel") for model in entries}
    unresolved = _unresolved(resolved)
    offered = tuple(str(name) for name in resolved if name and name not in unresolved)
    full = {str(name): model for name, model in resolved.items() if isinstance(model, str)}
    return SessionInfo(models=offered, full_names=full, unresolved=unresolved, cli_version=version)


def _unresolved(resolved: Mapping[Any, Any]) -> tuple[str, ...]:
    # A name the CLI does not know is listed as resolving to itself; a full name does so too, and is fine.
    return tuple(
        str(name) for name, model in resolved.items() if name == model and not str(name).startswith("claude-")
    )
