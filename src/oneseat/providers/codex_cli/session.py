"""One run on an app-server, from the billing check to the end of its turns."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from typing import Any

import msgspec

from oneseat.contract.errors import ErrorInfo, OneseatError
from oneseat.contract.events import Batch, Event, Question, Stderr, TurnEnded
from oneseat.contract.facts import CodexFacts, CodexLogin, CredentialSource, SessionInfo
from oneseat.contract.receipt import LimitReading, SessionStamp
from oneseat.contract.request import MCP_PREFIX, Permission, Request
from oneseat.contract.stations import Dispatch
from oneseat.host.processes.tree import MARKER
from oneseat.providers.cli_common.lines import Undecoded
from oneseat.providers.cli_common.program import dotted
from oneseat.providers.failures import SESSION_LOST
from oneseat.version import __version__

from . import discovery, failures, messages, wire
from .channel import RpcRefused
from .config import Settings
from .limits import all_readings, on_credits
from .parse import Parser
from .permissions import Permissions, check_tools, permissions_of
from .plans import SeenPlans
from .process import CodexProcess
from .threads import Threads

#: How long the CLI may take to read an interrupt, in seconds.
_INTERRUPT_S = 1.0
#: How long one call of ``ready`` waits for a starting thread before it returns false, in seconds.
_LOOK_S = 1.0
#: How much longer than its servers a thread may take to start, in seconds.
_BEGIN_S = 30.0
_CLIENT = {"name": "oneseat", "title": "oneseat", "version": __version__}
_NOT_CHATGPT = "chatgpt authentication required"
_SERVERS_FAILED = "required MCP servers failed to initialize"


class RunContext(msgspec.Struct, frozen=True, kw_only=True):
    """The facts about a run from outside its process.

    ``withheld`` are the credential sources withheld from the CLI, ``session`` is the conversation, ``thread`` the CLI's id of a
    resumed one. ``has_record`` is whether the CLI still has its transcript. Durations are in seconds.
    """

    request: Request
    model: str | None
    login: CodexLogin
    withheld: tuple[CredentialSource, ...]
    threads: Threads
    plans: SeenPlans
    now: Callable[[], float]
    simulated: bool
    session: SessionStamp | None = None
    thread: str | None = None
    has_record: bool = True
    mcp_start_s: float = 30.0
    mcp_tool_s: float = 1800.0

    @property
    def resumed(self) -> bool:
        """Whether the conversation has earlier messages."""
        return self.session is not None and self.session.resumed


class _Status(msgspec.Struct, frozen=True, rename="camel"):
    """The answer to `getAuthStatus`."""

    auth_method: str | None = None


class _Opened(msgspec.Struct, frozen=True, rename="camel"):
    """The answer to `initialize`."""

    user_agent: str | None = None


class _Server(msgspec.Struct, frozen=True):
    """One MCP server in the answer to `mcpServerStatus/list`."""

    name: str = ""
    tools: dict[str, Any] = {}


class _Servers(msgspec.Struct, frozen=True):
    data: list[_Server] = []


class CodexSession:
    """Implements ``ProviderSession``: one run on a process."""

    def __init__(
        self, process: CodexProcess, context: RunContext, parser: Parser, redact: Callable[[str], str]
    ) -> None:
        self._process = process
        self._channel = process.channel
        self._context = context
        self._parser = parser
        self._redact = redact
        self._early: list[Event] = []
        self._allowed: Permissions | None = None
        self._beginning: asyncio.Task[None] | None = None
        self._waited = 0.0
        self._ended = True
        self._sent = False
        self._limits: wire.LimitAnswer | None = None
        self.info = SessionInfo()

    @property
    def turn_ended(self) -> bool:
        return self._ended

    @property
    def opened(self) -> bool:
        """Whether the app-server has answered `initialize`."""
        return self._process.opened

    @property
    def sent(self) -> bool:
        return self._sent

    async def credential_facts(self) -> CodexFacts:
        """Ask the CLI who would pay, and check the process's actual environment. Sends no prompt.

        Queries the vendor's account for its plan, which uses no tokens. Raises ``OneseatError`` (``provider.*``) when the CLI
        dies, is too old, has lost the conversation, or cannot reach the vendor.
        """
        # Before the CLI answers: what changes while it does is noticed directly before the prompt is sent.
        self._process.watch.look()
        await self._open()
        if self._context.resumed and not self._context.has_record:
            raise OneseatError(SESSION_LOST.info())
        numbers = [
            await self._channel.send("getAuthStatus", {"includeToken": False, "refreshToken": False}),
            await self._channel.send(
                "config/read", {"includeLayers": True, "cwd": self._context.request.cwd}
            ),
        ]
        status = await self._channel.answer(numbers[0], _Status, self._keep_early)
        settings = await self._channel.answer(numbers[1], Settings, self._keep_early)
        sources = settings.sources(self._process.addresses)
        # This request contains the login, so it is not made if a credential source could send it to another URL.
        refused = None if sources else await self._read_limits()
        context, seen = self._context, await asyncio.to_thread(self._process.look)
        request = context.request
        self._allowed = permissions_of(
            request,
            context.mcp_start_s,
            context.mcp_tool_s,
            settings.servers(),
            # The CLI builds the environment of its MCP servers itself, so the marker is passed in its settings.
            {MARKER: self._process.marker},
        )
        self._parser.key_source = "none" if status.auth_method == "chatgpt" else status.auth_method
        exposed = (*sources, *seen.sources)
        reached = {source.name for source in exposed}
        limits = self._limits.rate_limits if self._limits is not None else None
        if limits is not None and limits.plan_type is not None:
            context.plans.remember(context.login.account, limits.plan_type, context.now())
        return CodexFacts(
            login=context.login,
            auth_method=status.auth_method,
            plan=limits.plan_type if limits is not None else None,
            refused=refused,
            model_provider=settings.model_provider,
            credits_next=on_credits(limits, limits.credits) if limits is not None else None,
            withheld=tuple(source for source in context.withheld if source.name not in reached),
            exposed=exposed,
            simulated=context.simulated,
            child_checked=seen.readable,
            tampering=seen.tampering,
        )

    async def limits(self, read_at: str) -> tuple[LimitReading, ...]:
        """The plan's usage windows as of ``read_at`` (ISO 8601 UTC), read from the vendor's account by ``credential_facts``."""
        if self._limits is None:
            return ()
        return all_readings(self._limits, "account/rateLimits/read", read_at)

    def overtaken(self) -> str | None:
        return self._process.watch.changed()

    async def ready(self) -> bool:
        """Whether the run's thread has started, with its MCP servers and tools; if false, call again. Sends no prompt.

        Raises ``OneseatError``: ``incomplete.servers_missing``, ``incomplete.tools_missing``, and ``provider.*``.
        """
        if self._allowed is not None:
            check_tools(self._context.request, self._allowed)
        if self._beginning is None:
            self._beginning = asyncio.ensure_future(self._begin())
        done, _ = await asyncio.wait({self._beginning}, timeout=_LOOK_S)
        if done:
            await self._beginning
            return True
        self._waited += _LOOK_S
        if self._waited >= self._context.mcp_start_s + _BEGIN_S:
            raise OneseatError(_servers_missing("still starting", self._context.request))
        return False

    async def send(self, dispatch: Dispatch) -> AsyncIterator[Batch]:
        self._sent = True
        request = dispatch.request
        async for batch in self._turn(messages.turn_input(request, dispatch.background), self._early):
            yield batch

    async def say(self, text: str) -> AsyncIterator[Batch]:
        async for batch in self._turn(messages.further_input(text)):
            yield batch

    async def answer(self, question: Question, permission: Permission) -> None:
        if question.tool.startswith(MCP_PREFIX):
            action = "accept" if permission.allowed else "decline"
            await self._channel.reply(question.id, {"action": action, "content": {}})
        else:
            await self._channel.reply(
                question.id, {"decision": "accept" if permission.allowed else "decline"}
            )

    def stderr(self) -> Stderr | None:
        return self._channel.stderr()

    async def interrupt(self) -> None:
        turn, thread = self._parser.turn, self._process.thread
        if self._ended or turn is None or thread is None:
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_INTERRUPT_S):
                await self._channel.send("turn/interrupt", {"threadId": thread, "turnId": turn})

    async def stop(self, patience_s: float) -> None:
        async with asyncio.timeout(patience_s):
            await self.interrupt()
            while not self._ended:
                if not await self._channel.more():
                    raise await self._channel.death("before its turn ended")
                for _ in self._events(self._channel.lines.popleft()):
                    pass

    async def leave(self) -> None:
        """Stop waiting for the thread to start."""
        if self._beginning is not None and not self._beginning.done():
            self._beginning.cancel()
            await asyncio.wait({self._beginning})

    async def _open(self) -> None:
        process = self._process
        if not process.opened:
            # Only the experimental interface can turn off the environment for commands.
            options = {"clientInfo": _CLIENT, "capabilities": {"experimentalApi": True}}
            opened = await self._channel.ask("initialize", options, _Opened, self._keep_early)
            await self._channel.tell({"method": "initialized"})
            version = discovery.parse_version(opened.user_agent or "")
            process.version = dotted(version) if version is not None else None
            process.opened = True
        # Set before the steps that can fail, because their errors mention the version.
        self.info = SessionInfo(cli_version=process.version)
        discovery.check_version(process.version)

    async def _read_limits(self) -> str | None:
        """Read the plan and its windows; returns the error if the login is the reason why there is no answer."""
        try:
            self._limits = await self._channel.ask(
                "account/rateLimits/read", None, wire.LimitAnswer, self._keep_early
            )
        except RpcRefused as refused:
            if _NOT_CHATGPT in refused.said.message:
                return self._redact(refused.said.message)
            if refused.info.code in {"provider.unreachable", "provider.auth_rejected"}:
                raise
            return self._redact(refused.said.message)
        return None

    async def _begin(self) -> None:
        """Start or resume the thread, with its MCP servers."""
        process, parser = self._process, self._parser
        if process.thread is None:
            await self._begin_thread()
        parser.thread, parser.model = process.thread, process.model
        if self._context.model is not None:
            parser.model = self._context.model
        allowed = self._allowed
        parser.servers = tuple(server.name for server in self._context.request.mcp_servers)
        parser.tools = (*(allowed.tools if allowed is not None else ()), *await self._server_tools())

    async def _begin_thread(self) -> None:
        context, process = self._context, self._process
        params = self._thread_params()
        resumed = context.resumed and context.thread is not None
        method = "thread/resume" if resumed else "thread/start"
        if resumed:
            params |= {"threadId": context.thread, "excludeTurns": True}
        else:
            params["ephemeral"] = context.session is None
        try:
            begun = await self._channel.ask(method, params, wire.ThreadAnswer, self._keep_early)
        except RpcRefused as refused:
            if _SERVERS_FAILED in refused.said.message:
                said = self._redact(refused.said.message.partition(_SERVERS_FAILED)[2].strip(": "))
                raise OneseatError(_servers_missing(said, context.request)) from None
            raise
        process.thread, process.model = begun.thread.id, begun.model
        if context.session is not None and not resumed:
            context.threads.remember(context.session.id, begun.thread.id)
        if context.request.mcp_servers:
            # A server may leave the CLI's process session and drop the marker: record its pid and start time now.
            await process.child.note_descendants()

    def _thread_params(self) -> dict[str, Any]:
        context, allowed = self._context, self._allowed
        request = context.request
        params: dict[str, Any] = {
            "cwd": request.cwd,
            "modelProvider": "openai",
            "baseInstructions": request.system or messages.DEFAULT_SYSTEM,
        }
        if allowed is not None:
            params |= {
                "sandbox": allowed.sandbox,
                "approvalPolicy": allowed.approval,
                "config": allowed.config,
            }
        return params if context.model is None else {**params, "model": context.model}

    async def _server_tools(self) -> tuple[str, ...]:
        request = self._context.request
        if not request.mcp_servers:
            return ()
        params = {"threadId": self._process.thread}
        answer = await self._channel.ask("mcpServerStatus/list", params, _Servers, self._keep_early)
        there = tuple(f"{MCP_PREFIX}{server.name}__{name}" for server in answer.data for name in server.tools)
        missing = [name for name in request.tools.missing(there) if name.startswith(MCP_PREFIX)]
        if missing:
            raise OneseatError(
                ErrorInfo(
                    code="incomplete.tools_missing",
                    message=f"No MCP server of the run has this tool: `{', '.join(missing)}`\n"
                    f"  they have {', '.join(there) or 'none'}; nothing was sent",
                    hint="An MCP tool is named `mcp__SERVER__TOOL`, all tools of a server `mcp__SERVER`",
                )
            )
        return there

    async def _turn(self, parts: list[dict[str, Any]], early: Sequence[Event] = ()) -> AsyncIterator[Batch]:
        self._parser.begin()
        self._ended = False
        params: dict[str, Any] = {"threadId": self._process.thread, "input": parts}
        if self._context.model is not None:
            params["model"] = self._context.model
        if self._allowed is None or not self._allowed.acts:
            params["environments"] = []
        schema = messages.output_schema(self._context.request)
        if schema is not None:
            params["outputSchema"] = schema
        # Before anything is handed over: a caller may take its time, and the payer was checked just now.
        number = await self._channel.send("turn/start", params)
        channel = self._channel
        for event in early:
            yield (event,)
        while await channel.more():
            line = channel.lines.popleft()
            if isinstance(line, wire.Envelope) and line.method is None:
                self._accepted(line, number)
                continue
            for event in self._events(line):
                yield (event,)
            await self._attend(line)
            if self._ended:
                return
            if self._parser.hopeless is not None and self._parser.given_up is None:
                self._parser.given_up = self._parser.hopeless
                await self.interrupt()
        raise await channel.death("before it reported a result")

    def _accepted(self, line: wire.Envelope, number: int) -> None:
        """Handle the answer to the request that starts a turn: a rejection ends the turn. Ignore the answer to an interrupt."""
        if line.id == number and line.error is not None:
            self._ended = True
            info = failures.refused_request(line.error)
            raise OneseatError(msgspec.structs.replace(info, message=self._redact(info.message)))

    def _events(self, line: wire.Line) -> Iterator[Event]:
        for event in self._parser.events(line):
            if isinstance(event, TurnEnded):
                self._ended = True
            yield event

    async def _keep_early(self, line: wire.Line) -> None:
        self._early.extend(self._parser.events(line))
        await self._attend(line)

    async def _attend(self, line: wire.Line) -> None:
        """Reject requests of the CLI that oneseat does not support. Permission requests are passed to the caller."""
        if isinstance(line, Undecoded) or line.id is None or line.method is None:
            return
        if not any(isinstance(event, Question) for event in self._parser.events(line)):
            await self._channel.decline(line)


def _servers_missing(said: str, request: Request) -> ErrorInfo:
    names = ", ".join(server.name for server in request.mcp_servers)
    return ErrorInfo(
        code="incomplete.servers_missing",
        message=f"MCP server `{names}` failed to start\n  {said}\n  nothing was sent",
        hint="If it needs more time, raise `mcp.start_s` in oneseat.toml",
    )
