"""A provider whose runs are the messages of one conversation, whatever the vendor."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TypeVar

from oneseat._util.aio import uninterrupted
from oneseat.contract.errors import ErrorInfo, UsageError
from oneseat.contract.ports import Provider, ProviderSession, WarmPool
from oneseat.contract.receipt import SessionStamp
from oneseat.contract.stations import Permitted

#: What to do about a conversation that cannot go on.
NEW_CONVERSATION = "Start another one: `oneseat chat`, in Python `async with app.conversation() as talk`"


class ConversationProvider(ABC):
    """Implements ``Provider`` except for ``open``: the runs of ``host``, one after the other, as one conversation.

    ``_terms`` are what the first message has fixed, by name; ``None`` before it.
    """

    def __init__(self, host: Provider) -> None:
        self.name = host.name
        self.wallet = host.wallet
        self.default_model = host.default_model
        self.features = host.features
        self.transcripts = host.transcripts
        self._provider = host
        self._turn = asyncio.Lock()
        self._terms: Mapping[str, object] | None = None

    @property
    def warm_pool(self) -> WarmPool | None:
        return self._provider.warm_pool

    def conversation(self) -> AbstractAsyncContextManager[Provider]:
        return self._provider.conversation()

    @abstractmethod
    def open(
        self, permitted: Permitted, run_id: str, session: SessionStamp | None = None
    ) -> AbstractAsyncContextManager[ProviderSession]:
        """The conversation for its next message.

        Raises ``UsageError`` ``usage.conversation_changed`` for a request that differs in one of the terms.
        """

    @abstractmethod
    async def close(self) -> None:
        """End the conversation."""

    def _changed_term(self, terms: Mapping[str, object]) -> str | None:
        """The first of these terms that differs from the first message's; ``None`` when all are the same."""
        fixed = self._terms
        if fixed is None:
            return None
        return next((name for name, value in terms.items() if fixed[name] != value), None)


Conversation = TypeVar("Conversation", bound=ConversationProvider)


@asynccontextmanager
async def closing(conversation: Conversation) -> AsyncIterator[Conversation]:
    """End the conversation when this context is left, also where that is cancelled."""
    try:
        yield conversation
    finally:
        await uninterrupted(conversation.close())


def changed(term: str) -> UsageError:
    """The error for a message that asks for another ``term``."""
    return UsageError(
        ErrorInfo(
            code="usage.conversation_changed",
            message=f"An open conversation cannot change: `{term}`\n  it is fixed by the first message",
            hint=NEW_CONVERSATION,
        )
    )
