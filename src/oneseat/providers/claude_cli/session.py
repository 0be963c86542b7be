"""One process of the official CLI, from the first control request to the end of its turn."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import msgspec

from oneseat.contract.events import Event, Question, Stderr, TurnEnded
from oneseat.contract.facts import Capabilities, CredentialFacts, CredentialSource
from oneseat.contract.permission import Permission
from oneseat.contract.request import Plan, Request
from oneseat.host import credentials
from oneseat.host.sighting import look_at

from . import account, discovery, messages, wire
from .parse import Parser
from .process import CliProcess

#: The CLI's own instructions are 27 kB and speak of tools that the run does not have.
DEFAULT_SYSTEM = "Answer the request directly."
#: How long the CLI may take to read that it is interrupted, in seconds.
_INTERRUPT_S = 1.0


class Surroundings(msgspec.Struct, frozen=True):
    """What is known of a run outside of its process: the request, and what lies around the caller and is kept from the CLI."""

    request: Request
    kept: tuple[CredentialSource, ...]
    simulated: bool
    resumed: bool = False


class ClaudeSession:
    """Implements ``ProviderSession``: one run of a process."""

    def __init__(self, process: CliProcess, surroundings: Surroundings, parser: Parser) -> None:
        self._process = process
        self._channel = process.channel
        self._surroundings = surroundings
        self._parser = parser
        self._early: list[Event] = []
        self._ended = False
        self._cost_before = process.cost
        self.capabilities = Capabilities()

    @property
    def turn_ended(self) -> bool:
        """Whether the CLI has reported the end of its turn."""
        return self._ended

    async def credential_facts(self) -> CredentialFacts:
        """Ask the CLI who it would bill, and look at what really reached it. Sends nothing upstream.

        Raises ``OneseatError`` (``provider.*``) when the CLI dies, is too old, or prints what cannot be read.
        """
        request = self._surroundings.request
        # The instructions travel here and not on the command line, which other users can read.
        options: dict[str, Any] = {"systemPrompt": request.system or DEFAULT_SYSTEM}
        if request.schema is not None:
            options["jsonSchema"] = request.schema
        opened = await self._ask("initialize", **options)
        await self._learn_capabilities(opened)
        settings = await self._ask("get_settings")
        if self._surroundings.resumed:
            self._cost_before = _cost_so_far(await self._ask("get_usage"))
        around, process = self._surroundings, self._process
        # Only now: a script around the CLI can write these files after it was started and before the CLI reads them.
        reaching = credentials.reaching(process.env, process.cwd)
        pid = opened.get("pid")
        seen = look_at(process.child.pid, pid if isinstance(pid, int) else None, process.marker, process.env)
        present = (*reaching, *account.settings_sources(settings), *seen.sources)
        reached = {(source.name, source.scope) for source in present}
        return CredentialFacts(
            account=account.account_of(opened),
            # A script that switches settings files on again undoes the keeping.
            kept=tuple(source for source in around.kept if (source.name, source.scope) not in reached),
            present=present,
            simulated=around.simulated,
            child_checked=seen.readable,
            strange=seen.strange,
        )

    async def send(self, plan: Plan) -> AsyncIterator[Event]:
        """Send the prompt and yield what comes, up to and including ``TurnEnded``."""
        for event in self._early:
            yield event
        message = messages.user_message(plan.cleared.permitted.request, plan.background)
        async for event in self._turn(message):
            yield event

    async def say(self, text: str) -> AsyncIterator[Event]:
        """Send a further message in the same conversation and yield what comes, up to and including ``TurnEnded``."""
        async for event in self._turn(messages.text_message(text)):
            yield event

    async def answer(self, question: Question, permission: Permission) -> None:
        """Answer a ``Question`` that this session yielded."""
        allowed = question.input if permission.allowed else None
        await self._channel.write(messages.permission(question.id, allowed, permission.why))

    async def _turn(self, message: bytes) -> AsyncIterator[Event]:
        await self._channel.write(message)
        self._ended = False
        lines = self._channel.lines
        while await self._channel.more():
            while lines:
                line = lines.popleft()
                if isinstance(line, wire.ControlRequest) and line.request.subtype != "can_use_tool":
                    # What this version cannot answer is said to be so: left unanswered, the CLI would wait for ever.
                    await self._channel.write(messages.unsupported(line.request_id, line.request.subtype))
                for event in self._parser.events(line):
                    if isinstance(event, TurnEnded):
                        self._ended = True
                        yield self._of_this_run(event)
                        return
                    yield event
        raise await self._channel.death("before it reported a result")

    def _of_this_run(self, ended: TurnEnded) -> TurnEnded:
        # 2.1.329 goes on counting where the resumed conversation stopped: its earlier runs would be paid for again.
        before, now = self._cost_before, ended.list_cost_usd
        cost = None if before is None or now is None else round(now - before, 9)
        return msgspec.structs.replace(ended, list_cost_usd=cost)

    def stderr(self) -> Stderr | None:
        """The end of what the CLI printed on stderr, redacted."""
        return self._channel.stderr()

    async def interrupt(self) -> None:
        """Ask the CLI to stop its turn. A CLI that is gone or does not read is past being asked."""
        # Stopped in the middle of a long prompt, it never empties its input: the pipe is full, and writing would last for ever.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_INTERRUPT_S):
                await self._channel.tell("interrupt")

    async def _ask(self, subtype: str, **fields: Any) -> dict[str, Any]:
        return await self._channel.ask(subtype, self._keep_early, **fields)

    def _keep_early(self, line: wire.KnownLine | wire.Undecoded) -> None:
        self._early.extend(self._parser.events(line))

    async def _learn_capabilities(self, opened: dict[str, Any]) -> None:
        version = opened.get("claude_code_version")
        if not isinstance(version, str):
            # Older CLIs do not name themselves in this answer.
            version = await discovery.ask_version(self._process.executable, self._process.env)
        self.capabilities = _capabilities(opened.get("models"), version)
        discovery.check_version(version)


def _cost_so_far(usage: dict[str, Any]) -> float | None:
    """What the conversation had cost, at list price in US dollars, before this run."""
    session = usage.get("session")
    cost = session.get("total_cost_usd") if isinstance(session, dict) else None
    return float(cost) if isinstance(cost, int | float) else None


def _capabilities(models: object, version: str | None) -> Capabilities:
    entries = [model for model in models if isinstance(model, dict)] if isinstance(models, list) else []
    resolved = {model.get("value"): model.get("resolvedModel") for model in entries}
    # A name the CLI does not know is listed as resolving to itself; a full name does so too, and is fine.
    unresolved = tuple(
        str(name) for name, model in resolved.items() if name == model and not str(name).startswith("claude-")
    )
    offered = tuple(str(name) for name in resolved if name and name not in unresolved)
    return Capabilities(models=offered, unresolved=unresolved, cli_version=version)
