"""oneseat's own API: runs that are started, followed, cancelled and listed, and the reports of the commands."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from oneseat.testing import Answer, Behaviour, Simulator, Text, write_fake_cli
from oneseat.testing.fake_cli import Say, Wait
from tests.e2e.driving import silent_url

from .conftest import ANSWER
from .served import UNDECLARED, Served, installation, served


@pytest.fixture
async def hanging(tmp_path: Path) -> AsyncIterator[Served]:
    """One whose CLI says half an answer and then nothing."""
    cli = write_fake_cli(tmp_path / "claude", Behaviour(on_user=(Say("half"), Wait("forever"))))
    async with served(installation(tmp_path, cli.path, silent_url())) as gateway:
        yield gateway


def events_in(text: str) -> list[tuple[int | None, dict[str, Any]]]:
    found = []
    for block in text.strip().split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines())
        found.append((int(fields["id"]) if "id" in fields else None, json.loads(fields["data"])))
    return found


async def start(gateway: Served, **body: Any) -> str:
    said = await gateway.send("POST", "/api/runs", json={"prompt": "hi", **body})
    assert said.status_code == 202, said.text
    return str(said.json()["run_id"])


async def test_a_run_is_followed_from_any_event_while_it_goes_on_and_afterwards(
    real: Served, simulator: Simulator
) -> None:
    simulator.script("play", [Answer(content=(Text(ANSWER),), pace_s=0.02)])
    run_id = await start(real, model="sonnet", max_turns=3)
    seen = events_in((await real.send("GET", f"/api/runs/{run_id}/events")).text)
    numbers = [number for number, _ in seen if number is not None]
    assert numbers == list(range(1, len(numbers) + 1))
    assert "".join(event["text"] for _, event in seen if event["type"] == "text_delta") == ANSWER
    assert seen[-1][1]["type"] == "finished"
    last = {"last-event-id": str(numbers[-3])}
    rest = events_in((await real.send("GET", f"/api/runs/{run_id}/events", headers=last)).text)
    assert rest == seen[seen.index(next(it for it in seen if it[0] == numbers[-3])) + 1 :]

    shown = (await real.send("GET", f"/api/runs/{run_id}")).json()
    assert (shown["result"]["text"], shown["run"]["status"]) == (ANSWER, "completed")
    assert shown["result"]["receipt"]["policy"]["rule"] in {"G1", "Y1"}
    listed = (await real.send("GET", "/api/runs")).json()["runs"]
    assert [run["id"] for run in listed] == [run_id]


async def test_a_run_is_cancelled_and_gone_when_the_answer_comes(hanging: Served) -> None:
    run_id = await start(hanging)
    said = await hanging.send("POST", f"/api/runs/{run_id}/cancel")
    assert (said.status_code, said.json()["status"]) == (200, "cancelled")


async def test_a_client_sees_its_own_runs_and_reads_nothing_of_its_owner(quick: Served) -> None:
    run_id = await start(quick)
    other = quick.add("stranger", UNDECLARED)
    for path in (f"/api/runs/{run_id}", f"/api/runs/{run_id}/events"):
        assert (await quick.send("GET", path, key=other)).status_code == 404
    assert (await quick.send("POST", f"/api/runs/{run_id}/cancel", key=other)).status_code == 404
    for path in ("/api/runs", "/api/clients", "/api/sessions", "/api/usage", "/api/status", "/api/advice"):
        assert (await quick.send("GET", path, key=other)).status_code == 403


async def test_reports_are_those_of_the_commands(quick: Served) -> None:
    expected = {
        "/api/advice": "verdict",
        "/api/doctor": "findings",
        "/api/clients": "clients",
        "/api/limits": "seats",
        "/api/policy/explain": "rule",
        "/api/route": "candidates",
        "/api/sessions": "sessions",
        "/api/status": "server",
        "/api/usage": "rows",
    }
    for path, field in expected.items():
        said = await quick.send("GET", path)
        assert (said.status_code, field in said.json()) == (200, True), said.text
    explained = (await quick.send("GET", "/api/policy/explain")).json()
    assert (explained["inputs"]["exposure"], explained["inputs"]["local_api"]) == ("loopback", "no")


@pytest.mark.parametrize(
    "body", [{}, {"prompt": 1}, {"prompt": "hi", "cwd": "/"}, {"prompt": "hi", "timeout_s": -1}]
)
async def test_a_run_that_cannot_be_started_says_why(quick: Served, body: dict[str, Any]) -> None:
    said = await quick.send("POST", "/api/runs", json=body)
    assert (said.status_code, said.json()["error"]["code"]) == (400, "usage.bad_request")


async def test_the_document_names_every_page_and_its_types_hold(quick: Served) -> None:
    document = (await quick.send("GET", "/openapi.json")).json()
    assert document["openapi"] == "3.1.0"
    for path, methods in document["paths"].items():
        assert set(methods) <= {"get", "post"}
        assert path.startswith("/api/")
    text = json.dumps(document)
    for reference in re.findall(r"#/components/schemas/([^\"]+)", text):
        assert reference in document["components"]["schemas"]
    for name in ("limits", "usage", "status", "sessions", "clients", "runs", "advice"):
        schema = document["paths"][f"/api/{name}"]["get"]["responses"]["200"]["content"]["application/json"][
            "schema"
        ]
        whole = {**schema, "components": document["components"]}
        jsonschema.validate((await quick.send("GET", f"/api/{name}")).json(), whole)
