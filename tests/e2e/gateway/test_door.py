"""Who may ask the server at all, and what everybody else gets: before any body is read, and before any CLI is started."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from oneseat.app.gateway.clients import list_clients, remove_client, rotate_client
from oneseat.app.policy import confirmations
from oneseat.app.runs import find_runs
from oneseat.contract.errors import UsageError
from oneseat.contract.gateway.clients import ApiClient
from oneseat.contract.gateway.http import HttpOptions
from oneseat.contract.history import RunFilter
from oneseat.contract.request import PurposeWords
from oneseat.installation import Installation
from oneseat.testing import write_fake_cli
from tests.e2e.driving import silent_url

from .conftest import ANSWER
from .served import OWN, UNDECLARED, Served, ask, installation, served

MESSAGE = {"model": "sonnet", "max_tokens": 100, "messages": ask("hi")}
CHAT = {"model": "sonnet", "messages": ask("hi")}


def no_run(gateway: Served) -> bool:
    return find_runs(gateway.here, RunFilter()).runs == ()


@pytest.mark.parametrize("key", [None, "osk_wrong", "é"])
async def test_without_a_clients_key_nothing_is_answered_but_that_it_is_up(
    quick: Served, key: str | None
) -> None:
    headers = {} if key is None else {"x-api-key": key.encode("latin-1")}
    messages = await quick.send("POST", "/v1/messages", key=None, headers=headers, content=b"{not json")
    assert messages.status_code == 401
    assert messages.json()["error"]["type"] == "authentication_error"
    chat = await quick.send("POST", "/v1/chat/completions", key=None, headers=headers, json=CHAT)
    assert (chat.status_code, chat.json()["error"]["type"]) == (401, "invalid_api_key")
    assert chat.json()["error"]["oneseat"]["code"] == "usage.client_key"
    for path in ("/v1/models", "/api/runs", "/metrics", "/openapi.json"):
        assert (await quick.send("GET", path, key=None, headers=headers)).status_code == 401
    health = await quick.send("GET", "/healthz", key=None)
    assert (health.status_code, health.text) == (200, "ok")
    assert no_run(quick)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"host": "evil.example"}, 403),
        ({"host": "127.0.0.1.evil.example:8787"}, 403),
        ({"host": "localhost:1"}, 200),
        ({"origin": "https://evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"origin": "http://localhost:3000"}, 403),
        ({"origin": "http://localhost:8787", "host": "localhost:8787"}, 200),
    ],
)
async def test_a_page_of_another_origin_or_a_name_that_leads_here_gets_nothing(
    quick: Served, headers: dict[str, str], status: int
) -> None:
    said = await quick.send("GET", "/v1/models", headers=headers)
    assert said.status_code == status
    assert not [name for name in said.headers if name.startswith("access-control")]


async def test_a_client_that_declares_nothing_never_rides_on_the_plan(quick: Served) -> None:
    key = quick.add("stranger", UNDECLARED)
    said = await quick.send("POST", "/v1/messages", key=key, json=MESSAGE)
    assert (said.status_code, said.json()["error"]["type"]) == (403, "permission_error")
    assert said.json()["error"]["oneseat"]["code"] == "policy.grey"
    assert said.headers["oneseat-run-id"]
    (run,) = find_runs(quick.here, RunFilter()).runs
    assert (run.status, run.verdict) == ("refused", "nothing_sent")


async def test_a_client_whose_answers_others_read_is_refused_whatever_else_it_declares(quick: Served) -> None:
    key = quick.add("shop", PurposeWords(asked_by="me", reader="customers", work_of="me"))
    said = await quick.send("POST", "/v1/chat/completions", key=key, json=CHAT)
    assert (said.status_code, said.json()["error"]["oneseat"]["code"]) == (403, "policy.red")


@pytest.mark.parametrize(
    "words",
    [
        "You are OpenCode, the best coding agent on the planet.",
        "You are a personal assistant running inside OpenClaw.",
    ],
)
async def test_a_harness_that_the_vendor_bars_is_refused_with_the_rule(quick: Served, words: str) -> None:
    said = await quick.send("POST", "/v1/messages", json={**MESSAGE, "system": words})
    assert (said.status_code, said.json()["error"]["oneseat"]["code"]) == (403, "policy.red")
    assert "R6" in said.text
    fine = await quick.send("POST", "/v1/messages", json={**MESSAGE, "system": "You are not OpenClaw."})
    assert fine.status_code == 200


async def test_a_client_that_may_use_only_keys_never_uses_the_plan(quick: Served) -> None:
    key = quick.add("keys-only", OWN, wallets=("api_key",))
    said = await quick.send("POST", "/v1/chat/completions", key=key, json=CHAT)
    assert (said.status_code, said.json()["error"]["oneseat"]["code"]) == (403, "policy.wallet")


async def test_the_owners_word_is_kept_with_the_client_and_goes_with_it(quick: Served) -> None:
    (word,) = confirmations(quick.here).confirmations
    assert (word.rule, word.client, word.because) == ("Y11", "own", {"local_api": "yes"})
    (client,) = list_clients(quick.here).clients
    assert client.confirmation == word.id
    remove_client(quick.here, "own")
    assert confirmations(quick.here).confirmations == ()
    assert (await quick.send("GET", "/v1/models")).status_code == 401


async def test_a_rotated_key_is_refused_at_once_and_the_new_one_taken(quick: Served) -> None:
    assert (await quick.send("GET", "/v1/models")).status_code == 200
    fresh = rotate_client(quick.here, "own").key
    assert (await quick.send("GET", "/v1/models")).status_code == 401
    assert (await quick.send("GET", "/v1/models", key=fresh)).status_code == 200


async def test_no_key_is_in_any_file(quick: Served) -> None:
    await quick.send("POST", "/v1/messages", json=MESSAGE)
    files = [path for path in quick.here.paths.config_dir.parent.rglob("*") if path.is_file()]
    assert [path for path in files if quick.key.encode() in path.read_bytes()] == []
    clients = quick.here.paths.config_dir / "clients.json"
    assert clients in files
    assert clients.stat().st_mode & 0o077 == 0


def test_a_client_cannot_be_added_inside_a_run(tmp_path: Path) -> None:
    from oneseat.app.gateway.clients import add_client

    here = Installation({"ONESEAT_HOME": str(tmp_path), "ONESEAT_DEPTH": "1", "HOME": str(tmp_path)}, "/")
    with pytest.raises(UsageError) as refused:
        add_client(here, ApiClient(name="self", purpose=OWN))
    assert refused.value.info.code == "usage.not_confirmed"


async def test_the_parallel_and_the_minute_of_a_client_are_its_own(quick: Served) -> None:
    key = quick.add("busy", OWN, per_minute=2)
    statuses = [
        (await quick.send("POST", "/v1/chat/completions", key=key, json=CHAT)).status_code for _ in range(2)
    ]
    last = await quick.send("POST", "/v1/chat/completions", key=key, json=CHAT)
    assert (statuses, last.status_code) == ([200, 200], 429)
    assert 0 < int(last.headers["retry-after"]) <= 60
    assert (await quick.send("POST", "/v1/chat/completions", json=CHAT)).status_code == 200


async def test_an_answer_is_given_again_only_to_a_client_that_asked_for_that(quick: Served) -> None:
    key = quick.add("cached", OWN, cache_s=60)

    async def cached(key: str, **more: Any) -> tuple[str, str]:
        said = await quick.send("POST", "/v1/chat/completions", key=key, json={**CHAT, **more})
        assert said.status_code == 200
        return said.headers["oneseat-cache"], said.headers["oneseat-run-id"]

    miss, run_id = await cached(key)
    assert (miss, await cached(key)) == ("miss", ("hit", run_id))
    assert (await cached(key, seed=2))[0] == "miss"
    stream = await quick.send("POST", "/v1/messages", key=key, json={**MESSAGE, "stream": True})
    again = await quick.send("POST", "/v1/messages", key=key, json={**MESSAGE, "stream": True})
    assert (stream.headers["oneseat-cache"], again.headers["oneseat-cache"]) == ("miss", "hit")
    assert ANSWER in again.text
    assert (await cached(quick.key))[0] == "off"
    assert len(find_runs(quick.here, RunFilter()).runs) == 4


async def test_a_request_that_cannot_be_read_says_where(quick: Served) -> None:
    number = [{"role": "user", "content": [{"type": "text", "text": 1}]}]
    result = [{"role": "user", "content": [{"type": "tool_result", "tool_use_id": "gone", "content": "x"}]}]
    cases: list[tuple[Any, str]] = [
        (b"{", "usage.bad_request"),
        (b"[]", "usage.bad_request"),
        (b"[" * 100_000, "usage.bad_request"),
        (json.dumps({**MESSAGE, "messages": number}), "messages[0].content[0].text"),
        (json.dumps({**MESSAGE, "no_such": 1}), "no_such"),
        (json.dumps({**MESSAGE, "messages": []}), "messages"),
        (json.dumps({**MESSAGE, "messages": result}), "gone"),
        (json.dumps({**MESSAGE, "tools": [{"name": "mcp__x", "input_schema": {}}]}), "mcp__x"),
    ]
    for content, named in cases:
        said = await quick.send("POST", "/v1/messages", content=content)
        assert said.status_code == 400, content
        assert named in said.text
        assert said.json()["type"] == "error"
    assert no_run(quick)


async def test_a_body_that_is_too_large_is_refused_before_it_is_read(quick: Served) -> None:
    port = int(quick.url.rpartition(":")[2])
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    head = f"POST /v1/messages HTTP/1.1\r\nhost: localhost\r\nx-api-key: {quick.key}\r\ncontent-length: 68157440\r\n\r\n"
    writer.write(head.encode())
    assert (await reader.readline()).startswith(b"HTTP/1.1 413")
    writer.close()


async def test_unknown_pages_models_and_methods_are_named_in_the_shape_of_the_api(quick: Served) -> None:
    assert (await quick.send("GET", "/v1/messages")).json()["error"]["oneseat"][
        "code"
    ] == "usage.no_such_method"
    assert (await quick.send("GET", "/v1/nothing")).status_code == 404
    model = await quick.send("POST", "/v1/chat/completions", json={**CHAT, "model": "sonnett"})
    assert (model.status_code, model.json()["error"]["type"]) == (404, "model_not_found")
    assert "`sonnet`" in model.text


@pytest.mark.parametrize(
    ("options", "fine"),
    [
        ({"host": "0.0.0.0"}, False),
        ({"host": "0.0.0.0", "api_only": True}, False),
        ({"host": "0.0.0.0", "api_only": True, "tls_cert": "c", "tls_key": "k"}, True),
        ({"host": "127.0.0.1"}, True),
        ({"tls_key": "k"}, False),
    ],
)
def test_another_address_needs_to_be_without_the_plan_and_with_tls(
    options: dict[str, Any], fine: bool
) -> None:
    http = HttpOptions(**options)
    if fine:
        http.check()
        return
    with pytest.raises(UsageError):
        http.check()


async def test_without_the_plan_no_client_reaches_it(tmp_path: Path) -> None:
    cli = write_fake_cli(tmp_path / "claude", "ok")
    async with served(installation(tmp_path, cli.path, silent_url()), api_only=True) as gateway:
        said = await gateway.send("POST", "/v1/messages", json=MESSAGE)
        native = await gateway.send("GET", "/api/route")
    assert (said.status_code, said.json()["error"]["oneseat"]["code"]) == (403, "policy.wallet")
    assert native.status_code == 403
    assert cli.starts() == []


async def test_many_at_once_are_all_answered_in_turn(quick: Served) -> None:
    said = await asyncio.gather(*(quick.send("POST", "/v1/chat/completions", json=CHAT) for _ in range(12)))
    assert {each.json()["choices"][0]["message"]["content"] for each in said} == {ANSWER}
