"""Every provider of ours passes the public checks, and a provider that does not is told so."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from oneseat.app.providers import build_provider
from oneseat.contract.events import Batch, Stderr, TurnEnded
from oneseat.contract.facts import KeyFacts
from oneseat.contract.ports import Provider
from oneseat.contract.receipt import SessionStamp
from oneseat.contract.request import Request
from oneseat.contract.stations import Dispatch, Permitted
from oneseat.installation import Installation
from oneseat.providers.api.account import ApiAccount
from oneseat.providers.api.catalogue import APIS
from oneseat.providers.api.provider import ApiProvider
from oneseat.providers.api.session import ApiSession, ChatConnection
from oneseat.rules.redaction import redact
from oneseat.testing import PROVIDER_CHECKS, SIMULATOR_KEY, check_provider


def on_key(api: str, url: str, made: type[ApiProvider] = ApiProvider) -> ApiProvider:
    account = ApiAccount(key="made-up", place="this test", simulator=url, default_model="made-up-1")
    return made(APIS[api], account, lambda: SIMULATOR_KEY, redact)


@pytest.mark.parametrize("api", APIS)
def test_the_providers_on_a_key_pass(api: str) -> None:
    report = asyncio.run(check_provider(lambda url: on_key(api, url)))
    assert report.ok, str(report)


def test_no_run_of_two_trials_has_the_id_of_another() -> None:
    """A provider ends what carries its run's id: two trials at once killed each other's processes."""
    seen: list[str] = []

    class Noting(ApiProvider):
        @asynccontextmanager
        async def open(
            self, permitted: Permitted, run_id: str, session: SessionStamp | None = None
        ) -> AsyncIterator[ApiSession]:
            seen.append(run_id)
            async with super().open(permitted, run_id, session) as opened:
                yield opened

    def make(url: str) -> Provider:
        account = ApiAccount(key="made-up", place="this test", simulator=url, default_model="made-up-1")
        return Noting(APIS["openai"], account, lambda: SIMULATOR_KEY, redact)

    for _ in range(2):
        assert asyncio.run(check_provider(make, only=["everything is counted", "text stays text"])).ok
    assert len(seen) == len({*seen}) >= 4


def installation(home: Path, url: str, **more: str) -> Installation:
    folders = {"PATH": os.environ["PATH"], "HOME": str(home), "ONESEAT_HOME": str(home / "oneseat")}
    return Installation(
        {**folders, "ONESEAT_SIMULATOR_URL": url, "ONESEAT_CLAUDE_MAX_RETRIES": "0", **more}, home
    )


#: What an official CLI makes of failures has tests of its own, in tests/e2e.
FAILING = {"every failure has its code", "an empty answer is no success", "what came is kept"}
ON_A_CLI = [name for name in PROVIDER_CHECKS if name not in FAILING]


@pytest.mark.timeout(300)
def test_the_official_claude_cli_passes(claude_path: Path, tmp_path: Path) -> None:
    def make(url: str) -> Provider:
        return build_provider(installation(tmp_path, url, ONESEAT_CLAUDE_PATH=str(claude_path)))

    report = asyncio.run(check_provider(make, only=ON_A_CLI))
    assert report.ok, str(report)


class Careless(ApiSession):
    """Does wrong what a check is there for."""

    fault = ""

    async def credential_facts(self) -> KeyFacts:
        facts = await super().credential_facts()
        if self.fault == "sends before its time":
            await self.ready()
            async for _ in super().say("is anybody there?"):
                pass
        if self.fault == "raises":
            raise ZeroDivisionError
        return facts

    async def send(self, dispatch: Dispatch) -> AsyncIterator[Batch]:
        async for batch in super().send(dispatch):
            yield batch
            if isinstance(batch[-1], TurnEnded) and self.fault == "ends twice":
                yield batch

    def stderr(self) -> Stderr | None:
        return Stderr(text="Warning: careless") if self.fault == "prints" else None


@pytest.mark.parametrize(
    ("fault", "check", "problem"),
    [
        ("sends before its time", "facts come before sending", "1 requests reached the vendor before the prompt"),
        ("raises", "facts come before sending", "it raised ZeroDivisionError"),
        ("ends twice", "one end and every piece once", "2 ends"),
        ("prints", "nothing is printed beside", "Warning: careless"),
    ],
)  # fmt: skip
def test_a_careless_provider_is_told_so(fault: str, check: str, problem: str) -> None:
    class CarelessProvider(ApiProvider):
        def session_on(self, chat: ChatConnection, request: Request, run_id: str) -> ApiSession:
            session = Careless(chat, request, run_id, redact)
            session.fault = fault
            return session

    def make(url: str) -> Provider:
        return on_key("openai", url, CarelessProvider)

    report = asyncio.run(check_provider(make, only=[check, "an opened provider can be left"]))
    assert [(found.name, found.state) for found in report.problems] == [(check, "failed")]
    assert problem in str(report.problems[0].problem)
    assert not report.ok
    assert f"failed       {check}" in str(report)


def test_what_a_provider_does_not_offer_is_not_asked_of_it() -> None:
    report = asyncio.run(
        check_provider(lambda url: on_key("openai-compatible", url), only=["documents are sent"])
    )
    assert [(check.state, check.problem) for check in report.checks] == [("not offered", None)]
    assert str(report).startswith("openai-compatible: 0 ok, 0 failed, 1 not offered\n")
