"""Providers on made-up keys, and what comes of one prompt."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

from oneseat.contract.budgets import NO_BUDGET, Allowance
from oneseat.contract.events import Event, TextDelta, TurnEnded
from oneseat.contract.facts import KeyFacts, SessionInfo
from oneseat.contract.ports import Provider
from oneseat.contract.receipt import PolicyStamp
from oneseat.contract.request import Request
from oneseat.contract.stations import Budgeted, Cleared, Dispatch, Permitted
from oneseat.providers.api.account import ApiAccount
from oneseat.providers.api.catalogue import APIS
from oneseat.providers.api.provider import ApiProvider

KEY = "sk-made-up-0123456789abcdefghij"
apis = pytest.mark.parametrize("api", APIS)


class Turn(NamedTuple):
    """What came of one prompt."""

    facts: KeyFacts
    events: list[Event]

    @property
    def ended(self) -> TurnEnded:
        last = self.events[-1]
        assert isinstance(last, TurnEnded)
        return last

    @property
    def code(self) -> str | None:
        return self.ended.error.code if self.ended.error is not None else None

    @property
    def pieces(self) -> str:
        return "".join(event.text for event in self.events if isinstance(event, TextDelta))


def provider(api: str, url: str, read_key: Callable[[], str] = lambda: KEY, **settings: Any) -> ApiProvider:
    """A provider whose owner named this address of a simulator as the endpoint, so that it is asked as a vendor would be."""
    address = url + APIS[api].simulator_path
    account = ApiAccount(
        key="work", place="this test", base_url=address, default_model="made-up-1", **settings
    )
    return ApiProvider(APIS[api], account, read_key, str)


def permitted(**fields: Any) -> Permitted:
    request = Request(**{"prompt": "say ok", "cwd": "/"} | fields)
    return Permitted(request=request, policy=PolicyStamp("GREEN", "test", "test"))


def plan(asked: Permitted, made: Provider, allowance: Allowance | None = None) -> Dispatch:
    return Dispatch(
        cleared=Cleared(
            budgeted=Budgeted(permitted=asked, reservation=NO_BUDGET), wallet="api_key", evidence=()
        ),
        provider=made.name,
        model=asked.request.model or made.default_model,
        capabilities=SessionInfo(),
        allowance=allowance,
    )


async def asked(made: Provider, allowance: Allowance | None = None, **fields: Any) -> Turn:
    wanted = permitted(**fields)
    async with asyncio.timeout(60), made.open(wanted, "run1") as session:
        facts = await session.credential_facts()
        assert isinstance(facts, KeyFacts)
        await session.ready()
        return Turn(
            facts, [event async for batch in session.send(plan(wanted, made, allowance)) for event in batch]
        )


def ask(made: Provider, allowance: Allowance | None = None, **fields: Any) -> Turn:
    """Send one prompt and return what came."""
    return asyncio.run(asked(made, allowance, **fields))
