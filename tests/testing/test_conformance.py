"""Every provider of ours passes the public checks, and a provider that does not is told so."""

from __future__ import annotations

import asyncio

import pytest

from oneseat.contract.ports import Provider
from oneseat.providers.api.account import ApiAccount
from oneseat.providers.api.apis import APIS
from oneseat.providers.api.provider import ApiProvider
from oneseat.rules.redaction import redact
from oneseat.testing import SIMULATOR_KEY, check_provider


@pytest.mark.parametrize("api", APIS)
def test_the_providers_on_a_key_pass(api: str) -> None:
    def make(url: str) -> Provider:
        account = ApiAccount(key="made-up", place="this test", simulator=url, default_model="made-up-1")
        return ApiProvider(APIS[api], account, lambda: SIMULATOR_KEY, redact)

    report = asyncio.run(check_provider(make))
    assert report.ok, str(report)
