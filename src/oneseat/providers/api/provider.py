"""The provider: one API, one key, and a conversation per run."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import NamedTuple

from msgspec.structs import asdict

from oneseat._util.aio import uninterrupted
from oneseat.contract.errors import ErrorInfo, OneseatError, UsageError
from oneseat.contract.facts import Abilities
from oneseat.contract.receipt import SessionStamp, Wallet
from oneseat.contract.request import Permitted, Request
from oneseat.providers import conversation
from oneseat.providers.nothing_ahead import NothingAhead

from .account import Account, Api, ApiAccount, check_installed
from .session import DEFAULT_SYSTEM, ApiSession, Chat
from .talk import Terms


class MadeOf(NamedTuple):
    """What a provider is made of."""

    api: Api
    settings: ApiAccount
    read_key: Callable[[], str]
    redact: Callable[[str], str]


class ApiProvider(NothingAhead):
    """Implements ``Provider``. ``read_key`` gives the key and raises ``OneseatError`` where there is none.

    Raises ``UsageError`` ``usage.sdk`` when the vendor's SDK is not installed.
    """

    def __init__(
        self, api: Api, settings: ApiAccount, read_key: Callable[[], str], redact: Callable[[str], str]
    ) -> None:
        check_installed(api)
        self.made_of = MadeOf(api, settings, read_key, redact)

    @property
    def name(self) -> str:
        """The provider's name as receipts carry it."""
        return self.made_of.api.name

    @property
    def wallet(self) -> Wallet:
        """The wallet a run is planned to be paid from."""
        return "api_key" if self.made_of.settings.simulator is None else "simulator"

    @property
    def default_model(self) -> str:
        """The model of a request that names none; empty where there is none."""
        return self.made_of.settings.default_model or self.made_of.api.default_model or ""

    @property
    def abilities(self) -> Abilities:
        """What it can be asked for."""
        return self.made_of.api.abilities

    @asynccontextmanager
    async def open(
        self, permitted: Permitted, run_id: str, session: SessionStamp | None = None
    ) -> AsyncIterator[ApiSession]:
        """A conversation for one run; the connection is closed on leaving.

        Raises ``OneseatError``: ``usage.no_model``, ``provider.session_lost`` for a conversation that began elsewhere.
        """
        _check(permitted.request, self, session)
        chat = self.chat(permitted.request)
        opened = self.session_on(chat, permitted.request, run_id)
        try:
            yield opened
        finally:
            await uninterrupted(_leave(opened, chat))

    @asynccontextmanager
    async def held(self) -> AsyncIterator[HeldApiProvider]:
        """The same provider, whose runs are one conversation, kept in memory until this is left."""
        held = HeldApiProvider(self.made_of)
        try:
            yield held
        finally:
            await uninterrupted(held.close())

    def chat(self, request: Request) -> Chat:
        """A conversation on these terms."""
        return Chat(Account(*self.made_of[:3]), terms_of(request))

    def session_on(self, chat: Chat, request: Request, run_id: str) -> ApiSession:
        """One run in a conversation."""
        return ApiSession(chat, request, run_id, self.made_of.redact)

    async def transcript_bytes(self, session_id: str, cwd: str) -> int:  # noqa: ARG002 - there is nothing to look at
        """No record is kept."""
        return 0

    async def written_bytes(self, session_id: str, cwd: str) -> int:  # noqa: ARG002 - as above
        """No record is kept."""
        return 0


class HeldApiProvider(ApiProvider):
    """An ``ApiProvider`` whose runs go on one after the other in one conversation."""

    def __init__(self, made_of: MadeOf) -> None:
        super().__init__(*made_of)
        self._turn = asyncio.Lock()
        self._chat: Chat | None = None

    @asynccontextmanager
    async def open(
        self, permitted: Permitted, run_id: str, session: SessionStamp | None = None
    ) -> AsyncIterator[ApiSession]:
        """The conversation for its next message.

        Raises ``UsageError`` ``usage.conversation_changed`` for a request on other terms, and what ``ApiProvider.open`` raises.
        """
        request = permitted.request
        _check(request, self, session)
        async with self._turn:
            if self._chat is None:
                self._chat = self.chat(request)
            change = conversation.first_change(asdict(self._chat.terms), asdict(terms_of(request)))
            if change is not None:
                raise conversation.changed(change)
            opened = self.session_on(self._chat, request, run_id)
            try:
                yield opened
            finally:
                await uninterrupted(opened.interrupt())

    async def close(self) -> None:
        """End the conversation."""
        chat, self._chat = self._chat, None
        if chat is not None:
            await chat.close()


def terms_of(request: Request) -> Terms:
    """What of a request stays the same in a whole conversation."""
    return Terms(system=request.system or DEFAULT_SYSTEM, schema=request.schema, functions=request.functions)


def _check(request: Request, provider: ApiProvider, session: SessionStamp | None) -> None:
    if not (request.model or provider.default_model):
        raise UsageError(
            ErrorInfo(
                code="usage.no_model",
                message=f"This provider has no model of its own: `{provider.name}`",
                hint="Name one that the server has: `oneseat run --model ...`",
            )
        )
    if session is not None and session.resumed:
        raise OneseatError(
            ErrorInfo(
                code="provider.session_lost",
                message=f"The provider keeps no conversations: `{provider.name}`",
                hint="Begin a new one: `oneseat run --new-session ...`",
            )
        )


async def _leave(session: ApiSession, chat: Chat) -> None:
    await session.interrupt()
    await chat.close()
