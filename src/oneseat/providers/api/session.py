"""One run on an API key: the prompt, the model's answers, and the function calls between them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing

import msgspec

from oneseat.contract.errors import ErrorInfo, InternalError, OneseatError
from oneseat.contract.events import (
    Batch,
    Event,
    Message,
    Progress,
    Question,
    Started,
    Stderr,
    TextDelta,
    ThinkingDelta,
    ToolCall,
    ToolResult,
    TurnEnded,
    UsageSeen,
)
from oneseat.contract.facts import KeyFacts, SessionInfo
from oneseat.contract.receipt import NO_TOKENS, TokenUsage
from oneseat.contract.request import FUNCTIONS, MCP_PREFIX, Permission, Request
from oneseat.contract.stations import Dispatch
from oneseat.host.function_calls import CallResult
from oneseat.providers.failures import INTERRUPTED

from . import failures
from .account import Account
from .chat import (
    Call,
    ChatRequest,
    Conversation,
    ConversationOptions,
    Prompt,
    Reply,
    TruncatedError,
    believable,
)
from .stream import CancellableStream, StoppedError
from .tools import Toolbox

#: The instructions of a request that has none.
DEFAULT_SYSTEM = "Answer the request directly."


class ChatConnection:
    """A conversation, opened on first use: of one run, or shared by several."""

    def __init__(self, account: Account, options: ConversationOptions) -> None:
        self.account = account
        self.options = options
        self._talk: Conversation | None = None

    @property
    def talk(self) -> Conversation:
        """The conversation, once it is ready."""
        if self._talk is None:
            raise InternalError(
                ErrorInfo(
                    code="bug.not_ready",
                    message="A provider was given a prompt before it was ready",
                    whose_turn="bug",
                )
            )
        return self._talk

    async def ready(self) -> None:
        """Load the SDK, which takes up to a second, in a thread. Raises ``OneseatError``."""
        if self._talk is None:
            self._talk = await asyncio.to_thread(self.account.converse)

    async def close(self) -> None:
        """Close the connection."""
        if self._talk is not None:
            await self._talk.close()
            self._talk = None


class ApiSession:
    """Implements ``ProviderSession``."""

    def __init__(
        self, chat: ChatConnection, request: Request, run_id: str, redact: Callable[[str], str]
    ) -> None:
        self._chat = chat
        self._account = chat.account
        self._request = request
        self._run_id = run_id
        self._redact = redact
        self._toolbox = Toolbox(chat.options.functions, self._hide)
        self._stream: CancellableStream[Event | Reply] | None = None
        self._dispatch: Dispatch | None = None
        self._interrupted = False
        self._started = self._began = False
        self._turned_down = True
        self._asked = 0
        short = self._account.api.short_names
        self.info = SessionInfo(models=tuple(short), full_names=dict(short))

    async def credential_facts(self) -> KeyFacts:
        """Read the key and return which one it is and where it would be sent. Sends nothing."""
        return await self._account.facts()

    def overtaken(self) -> str | None:
        return None  # the key is sent by oneseat itself, to an address it was given

    async def ready(self) -> bool:
        """Load the vendor's SDK. Sends nothing. Raises ``OneseatError`` ``usage.sdk`` when it cannot be used."""
        await self._chat.ready()
        return True

    async def send(self, dispatch: Dispatch) -> AsyncIterator[Batch]:
        self._dispatch = dispatch
        prompt = Prompt(self._request.prompt, self._request.attachments, dispatch.background)
        async with aclosing(self._turn(prompt)) as events:
            async for event in events:
                yield (event,)

    async def say(self, text: str) -> AsyncIterator[Batch]:
        async with aclosing(self._turn(Prompt(text))) as events:
            async for event in events:
                yield (event,)

    async def answer(self, question: Question, permission: Permission) -> None:
        """Do nothing: no questions are asked, as the caller allowed a function by offering it."""

    def stderr(self) -> Stderr | None:
        return None

    async def interrupt(self) -> None:
        """Close the stream and cancel the running functions."""
        self._interrupted = True
        await self._stop()

    async def _turn(self, prompt: Prompt) -> AsyncGenerator[Event, None]:
        """One user message with all its requests. A failed message is removed, or the next request would answer it too."""
        mark, self._asked = self._chat.talk.mark(), 0
        self._chat.talk.prompt(prompt)
        whole = False
        try:
            async with aclosing(self._rounds()) as events:
                async for event in events:
                    whole = isinstance(event, TurnEnded) and event.error is None and bool(event.text)
                    yield event
        finally:
            await self._stop()
            if not whole:
                self._chat.talk.back_to(mark)

    async def _stop(self) -> None:
        if self._stream is not None:
            await self._stream.stop()
        await self._toolbox.stop()

    async def _rounds(self) -> AsyncGenerator[Event, None]:
        used: TokenUsage | None = NO_TOKENS
        while True:
            reply: Reply | None = None
            error: ErrorInfo | None = None
            async with aclosing(self._one_request()) as request:
                async for seen in request:
                    if isinstance(seen, Reply):
                        reply = seen
                    elif isinstance(seen, ErrorInfo):
                        error = seen
                    else:
                        yield seen
            if reply is None:
                # The cost of an answer that was cut short or lost is unknown.
                yield self._ended("", error, used if self._turned_down else None, None)
                return
            used = _added(used, reply.usage)
            if reply.text:
                yield Message(text=reply.text)
            if not reply.calls or reply.stop != "tool_use":
                yield self._ended(reply.text, self._fault(reply), used, reply.model)
                return
            async with aclosing(self._functions(reply.calls)) as events:
                async for event in events:
                    yield event

    async def _one_request(self) -> AsyncGenerator[Event | Reply | ErrorInfo, None]:
        """Send one request to the model: yields events, then the complete answer or the failure."""
        talk = self._chat.talk
        self._began, self._turned_down, answered, text = False, True, False, False
        kept_back = INTERRUPTED.info() if self._interrupted else self._out_of_turns()
        if kept_back is not None:
            yield kept_back
            return
        try:
            ask = await self._next_ask()
        except OneseatError as error:
            yield error.info
            return
        self._asked += 1
        self._account.endpoint.answered = None
        self._stream = CancellableStream(talk.stream(ask))
        try:
            async for seen in self._stream.items():
                if not self._began:
                    self._began, self._turned_down = True, False
                    if not self._started:
                        self._started = True
                        yield self._start(ask.model)
                text = text or isinstance(seen, TextDelta)
                answered = answered or text or isinstance(seen, ThinkingDelta) or _writes_a_call(seen)
                yield _believed(seen, answered=answered)
        except StoppedError:
            self._turned_down = False
            yield INTERRUPTED.info()
        except OneseatError as error:
            yield error.info
        except TruncatedError:
            self._turned_down = False
            yield failures.of_cut(self._account.endpoint.answered, text=text, begun=answered)
        except Exception as error:  # noqa: BLE001 - no exception of an SDK may reach a user
            yield self._failure(error)
        finally:
            await self._stream.stop()

    async def _next_ask(self) -> ChatRequest:
        """The next request, with a token limit if it has a budget. Raises ``OneseatError`` ``budget.*``."""
        dispatch, options, most = self._dispatch, self._chat.options, self._account.api.most_tokens
        model = dispatch.model if dispatch is not None else ""
        model = self.info.full_names.get(model, model)
        if dispatch is None or dispatch.allowance is None:
            return ChatRequest(options, model, most)
        size = self._chat.talk.size(options)
        bound = await dispatch.allowance(
            text_bytes=size.text_bytes, pictures=size.pictures, output_tokens=most
        )
        return ChatRequest(options, model, bound, held=True)

    def _failure(self, error: Exception) -> ErrorInfo:
        account = self._account
        said = self._chat.talk.said(error)
        info = failures.of_error(error, said, account.endpoint.answered, account.key)
        self._turned_down = not self._began and (said is not None or info.code == "provider.unreachable")
        return msgspec.structs.replace(info, message=self._hide(info.message))

    def _hide(self, text: str) -> str:
        return self._redact(self._account.endpoint.hide(text))

    def _fault(self, reply: Reply) -> ErrorInfo | None:
        error = failures.of_stop(reply.stop, reply.why)
        return None if error is None else msgspec.structs.replace(error, message=self._hide(error.message))

    async def _functions(self, calls: tuple[Call, ...]) -> AsyncGenerator[Event, None]:
        results: dict[int, CallResult] = {}
        for each in calls:
            yield ToolCall(id=each.id, name=_shown(each.name), input=each.given or {})
        async for index, returned in self._toolbox.answer(calls):
            results[index] = returned
            yield ToolResult(id=calls[index].id, text=returned.text, is_error=returned.is_error)
        if len(results) == len(calls):
            self._chat.talk.results([(call, results[index]) for index, call in enumerate(calls)])

    def _out_of_turns(self) -> ErrorInfo | None:
        most = self._request.max_turns
        if most is None or self._asked < most:
            return None
        return ErrorInfo(
            code="budget.turns_reached",
            message="The run reached its turn limit before it finished",
            hint="Allow more: `oneseat run --max-turns ...`",
        )

    def _start(self, model: str) -> Event:
        functions = self._chat.options.functions
        return Started(
            run_id=self._run_id,
            provider=self._account.api.name,
            model=model,
            cwd=self._request.cwd,
            tools=tuple(_shown(each.name) for each in functions),
            mcp_servers=(f"{FUNCTIONS}:connected",) if functions else (),
        )

    def _ended(
        self, text: str, error: ErrorInfo | None, usage: TokenUsage | None, model: str | None
    ) -> TurnEnded:
        return TurnEnded(text=text, error=error, usage=usage, model=model)


def _writes_a_call(seen: Event | Reply) -> bool:
    return isinstance(seen, Progress) and seen.tool_input_bytes > 0


def _believed(seen: Event | Reply, *, answered: bool) -> Event | Reply:
    if isinstance(seen, Reply):
        answered = answered or bool(seen.text or seen.calls)
        return seen._replace(usage=believable(seen.usage, answered=answered))
    if isinstance(seen, UsageSeen) and seen.stop_reason is not None:
        return msgspec.structs.replace(seen, usage=believable(seen.usage, answered=answered))
    return seen


def _shown(name: str) -> str:
    # The name of a function in the events of all providers.
    return f"{MCP_PREFIX}{FUNCTIONS}__{name}"


def _added(before: TokenUsage | None, more: TokenUsage) -> TokenUsage | None:
    """The sum of the tokens of two requests. A count that is unknown in one of them is unknown in the sum."""
    if before is None:
        return None
    pairs = zip(msgspec.structs.astuple(before), msgspec.structs.astuple(more), strict=True)
    return TokenUsage(*(None if one is None or other is None else one + other for one, other in pairs))
