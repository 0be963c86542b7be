"""What pays is the key that was handed in, at the address that was meant: nothing around the program changes a request."""

from __future__ import annotations

import asyncio
import json
import logging
from pathlib import Path

import pytest

from oneseat.contract.errors import ErrorInfo, UsageError
from oneseat.contract.events import TurnEnded
from oneseat.providers.api.catalogue import APIS
from oneseat.testing import RecordedRequest, Simulator

from .asking import KEY, apis, ask, permitted, plan, provider

ELSEWHERE = "http://127.0.0.1:9"
OTHER = "sk-somebody-else-0123456789"
#: Variables that the SDKs and their HTTP client look at, as of the locked versions, with values that would do harm.
VARIABLES = {
    "ANTHROPIC_API_KEY": OTHER,
    "ANTHROPIC_AUTH_TOKEN": OTHER,
    "ANTHROPIC_BASE_URL": ELSEWHERE,
    "ANTHROPIC_PROFILE": "work",
    "ANTHROPIC_CUSTOM_HEADERS": f"Authorization: Bearer {OTHER}\nx-api-key: {OTHER}\nanthropic-beta: x\nuser-agent: x",
    "ANTHROPIC_FEDERATION_RULE_ID": "rule",
    "ANTHROPIC_ORGANIZATION_ID": "org",
    "ANTHROPIC_WORKSPACE_ID": "workspace",
    "ANTHROPIC_IDENTITY_TOKEN": OTHER,
    "ANTHROPIC_LOG": "debug",
    "OPENAI_API_KEY": OTHER,
    "OPENAI_ADMIN_KEY": OTHER,
    "OPENAI_BASE_URL": ELSEWHERE,
    "OPENAI_ORG_ID": "org-somebody",
    "OPENAI_PROJECT_ID": "proj-somebody",
    "OPENAI_CUSTOM_HEADERS": f"Authorization: Bearer {OTHER}\nOpenAI-Organization: x",
    "OPENAI_API_TYPE": "azure",
    "OPENAI_LOG": "debug",
    "AZURE_OPENAI_API_KEY": OTHER,
    "GOOGLE_API_KEY": OTHER,
    "GEMINI_API_KEY": OTHER,
    "GOOGLE_GENAI_API_KEY": OTHER,
    "GOOGLE_GENAI_ACCESS_TOKEN": OTHER,
    "GOOGLE_GENAI_USE_VERTEXAI": "true",
    "GOOGLE_GENAI_USE_ENTERPRISE": "true",
    "GOOGLE_CLOUD_PROJECT": "somebody",
    "GOOGLE_CLOUD_LOCATION": "europe-west1",
    "GOOGLE_GEMINI_BASE_URL": ELSEWHERE,
    "GOOGLE_VERTEX_BASE_URL": ELSEWHERE,
    "GOOGLE_GENAI_API_VERSION": "v9",
    "GOOGLE_GENAI_CLIENT_MODE": "replay",
    "GOOGLE_GENAI_REPLAYS_DIRECTORY": "/nowhere",
    "GOOGLE_GENAI_DEFAULT_HEADERS": f"x-goog-api-key={OTHER}",
    "HTTP_PROXY": ELSEWHERE,
    "HTTPS_PROXY": ELSEWHERE,
    "ALL_PROXY": ELSEWHERE,
    "http_proxy": ELSEWHERE,
    "SSL_CERT_FILE": "/nowhere.pem",
    "SSL_CERT_DIR": "/nowhere",
}


def everything(record: RecordedRequest) -> tuple[object, ...]:
    """All that a vendor could see of a request; the header of the key without its value."""
    return record.method, record.path, record.auth, record.body, record.headers


@apis
def test_no_variable_changes_anything_of_a_request(
    simulator: Simulator, monkeypatch: pytest.MonkeyPatch, api: str
) -> None:
    made = provider(api, simulator.url("ok"))
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    assert ask(made).code is None
    for name, value in VARIABLES.items():
        with monkeypatch.context() as around:
            around.setenv(name, value)
            assert ask(made).code is None, name
    with monkeypatch.context() as around:
        for name, value in VARIABLES.items():
            around.setenv(name, value)
        assert ask(made).code is None
    alone, *others = simulator.requests()
    assert len(others) == len(VARIABLES) + 1
    assert [each for each in others if everything(each) != everything(alone)] == []


@apis
def test_no_file_changes_anything_of_a_request(
    simulator: Simulator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, api: str
) -> None:
    made = provider(api, simulator.url("ok"))
    assert ask(made).code is None
    (tmp_path / ".netrc").write_text(f"machine 127.0.0.1 login me password {OTHER}\n")
    (tmp_path / ".netrc").chmod(0o600)
    for folder in (tmp_path / ".config/anthropic", tmp_path / ".anthropic"):
        (folder / "configs").mkdir(parents=True)
        (folder / "active_config").write_text("work")
        login = {"base_url": ELSEWHERE, "authentication": {"type": "user_oauth", "access_token": OTHER}}
        (folder / "configs/work.json").write_text(json.dumps(login))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    monkeypatch.setenv("ANTHROPIC_CONFIG_DIR", str(tmp_path / ".anthropic"))
    assert ask(made).code is None
    alone, other = simulator.requests()
    assert everything(other) == everything(alone)


@apis
def test_the_key_that_was_handed_in_is_sent_and_no_other_credential(simulator: Simulator, api: str) -> None:
    """A simulator keeps no credential; it knows its own, so that one stands for the owner's here."""
    from oneseat.testing import SIMULATOR_KEY

    ask(provider(api, simulator.url("ok"), lambda: SIMULATOR_KEY))
    ask(provider(api, simulator.url("ok"), lambda: KEY))
    own, other = simulator.requests()
    assert (own.simulator_token, other.simulator_token) == (True, False)
    header = APIS[api].header
    assert own.auth == (("bearer",) if header == "authorization" else (header,))


@apis
def test_an_endpoint_without_a_key_is_sent_none(simulator: Simulator, api: str) -> None:
    turn = ask(provider(api, simulator.url("ok"), lambda: ""))
    (record,) = simulator.requests()
    assert (turn.code, record.auth) == (None, ())


@apis
def test_a_redirect_is_not_followed(simulator: Simulator, api: str) -> None:
    from oneseat.testing import Page

    simulator.script("moved", [Page(body="", status=307)])
    assert ask(provider(api, simulator.url("moved"))).code == "provider.garbled"
    assert len(simulator.requests()) == 1


def test_an_http_client_that_is_not_there_is_a_typed_error(
    simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOOGLE_GENAI_HTTP_CLIENT", "httpx")
    with pytest.raises(UsageError) as caught:
        ask(provider("gemini", simulator.url("ok")))
    assert caught.value.info.code == "usage.sdk"
    assert simulator.requests() == []


@apis
def test_an_sdk_that_turns_elsewhere_sends_nothing(simulator: Simulator, api: str) -> None:
    made = provider(api, simulator.url("ok"))
    chat = made.chat(permitted().request)
    asyncio.run(chat.account.facts())

    async def turn_elsewhere() -> ErrorInfo | None:
        await chat.ready()
        chat.account.endpoint.base_url = f"{ELSEWHERE}/v1"  # what the SDK was told is another one now
        session = made.session_on(chat, permitted().request, "run1")
        ended = [batch[-1] async for batch in session.send(plan(permitted(), made))][-1]
        await chat.close()
        assert isinstance(ended, TurnEnded)
        return ended.error

    error = asyncio.run(turn_elsewhere())
    assert error is not None
    assert error.code == "bug.strange_address"
    assert simulator.requests() == []


@apis
def test_no_log_holds_the_key(simulator: Simulator, caplog: pytest.LogCaptureFixture, api: str) -> None:
    for name in (None, "openai", "anthropic", "google_genai", "httpx2", "httpcore2"):
        caplog.set_level(logging.DEBUG, name)
    for scenario in ("ok", "invalid-api-key", "eof-mid-stream", "reset"):
        ask(provider(api, simulator.url(scenario)))
    assert caplog.records
    said = [f"{record.getMessage()} {record.args} {record.exc_text}" for record in caplog.records]
    assert [line for line in said if KEY in line] == []
