"""The provider for API keys: one API, one key, one conversation per run."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial

from msgspec.structs import asdict

from oneseat._util.aio import uninterrupted
from oneseat.contract.errors import ErrorInfo, OneseatError, UsageError
from oneseat.contract.ports import Provider
from oneseat.contract.receipt import SessionStamp, Wallet
from oneseat.contract.request import Request
from oneseat.contract.stations import Permitted
from oneseat.providers.conversation import ConversationProvider, changed, closing

from .account import Account, Api, ApiAccount, check_installed
from .chat import ConversationOptions
from .session import DEFAULT_SYSTEM, ApiSession, ChatConnection


class ApiProvider:
    """Implements ``Provider``. ``read_key`` returns the key and raises ``OneseatError`` when there is none.

    Raises ``UsageError`` ``usage.sdk`` when the vendor's SDK is not installed.
    """

    warm_pool = None
    transcripts = None

    def __init__(
        self, api: Api, settings: ApiAccount, read_key: Callable[[], str], redact: Callable[[str], str]
    ) -> None:
        check_installed(api)
        self.name = api.name
        self.features = api.features
        self.wallet: Wallet = "api_key" if settings.simulator is None else "simulator"
        self.default_model = settings.default_model or api.default_model or ""
        self._connect = partial(Account, api, settings, read_key)
        self._redact = redact

    @asynccontextmanager
    async def open(
        self, permitted: Permitted, run_id: str, session: SessionStamp | None = None
    ) -> AsyncIterator[ApiSession]:
        """A conversation for one run; its connection is closed on exit.

        Raises ``OneseatError``: ``usage.no_model``, ``provider.session_lost`` for a conversation that another provider started.
        """
        _check(permitted.request, self, session)
        chat = self.chat(permitted.request)
        opened = self.session_on(chat, permitted.request, run_id)
        try:
            yield opened
        finally:
            await uninterrupted(_leave(opened, chat))

    def conversation(self) -> AbstractAsyncContextManager[ApiConversation]:
        return closing(ApiConversation(self))

    def chat(self, request: Request) -> ChatConnection:
        """A conversation with these options."""
        return ChatConnection(self._connect(), options_of(request))

    def session_on(self, chat: ChatConnection, request: Request, run_id: str) -> ApiSession:
        """One run in a conversation."""
        return ApiSession(chat, request, run_id, self._redact)


class ApiConversation(ConversationProvider):
    """Implements ``Provider``: an ``ApiProvider`` whose runs are one conversation, kept in memory."""

    def __init__(self, host: ApiProvider) -> None:
        super().__init__(host)
        self._host = host
        self._chat: ChatConnection | None = None

    @asynccontextmanager
    async def open(
        self, permitted: Permitted, run_id: str, session: SessionStamp | None = None
    ) -> AsyncIterator[ApiSession]:
        """The conversation for its next message.

        Raises ``UsageError`` ``usage.conversation_changed`` for a request with other options, and what ``ApiProvider.open``
        raises.
        """
        request = permitted.request
        _check(request, self, session)
        async with self._turn:
            terms = asdict(options_of(request))
            change = self._changed_term(terms)
            if change is not None:
                raise changed(change)
            if self._chat is None:
                self._chat, self._terms = self._host.chat(request), terms
            opened = self._host.session_on(self._chat, request, run_id)
            try:
                yield opened
            finally:
                await uninterrupted(opened.interrupt())

    async def close(self) -> None:
        chat, self._chat = self._chat, None
        if chat is not None:
            await chat.close()


def options_of(request: Request) -> ConversationOptions:
    """The options of a request that are fixed for a whole conversation."""
    return ConversationOptions(
        system=request.system or DEFAULT_SYSTEM, schema=request.schema, functions=request.functions
    )


def _check(request: Request, provider: Provider, session: SessionStamp | None) -> None:
    if not (request.model or provider.default_model):
        raise UsageError(
            ErrorInfo(
                code="usage.no_model",
                message=f"This provider has no default model: `{provider.name}`",
                hint="Name a model of the server: `oneseat run --model ...`",
            )
        )
    if session is not None and session.resumed:
        raise OneseatError(
            ErrorInfo(
                code="provider.session_lost",
                message=f"The provider does not keep conversations: `{provider.name}`",
                hint="Start a new one: `oneseat run --new-session ...`",
            )
        )


async def _leave(session: ApiSession, chat: ChatConnection) -> None:
    await session.interrupt()
    await chat.close()
