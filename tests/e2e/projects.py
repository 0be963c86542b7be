"""Runs of one project, ``shop``, and their records at the vendor and in the ledger."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from oneseat.app.runs import opened_reader
from oneseat.installation import Installation
from oneseat.testing import RecordedRequest

from .driving import Seat

PIRATE = "Answer like a pirate."


def with_project(seat: Seat, settings: str = "", **project: str) -> Seat:
    """Write the owner's settings with one project, ``shop``."""
    directory = Path(project.pop("directory", str(seat.root / "shop")))
    directory.mkdir(exist_ok=True)
    table = {"directory": str(directory), "system": PIRATE, **project}
    lines = [settings, "[projects.shop]", *(f"{key} = {json.dumps(value)}" for key, value in table.items())]
    path = seat.home / "config" / "oneseat.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines), "utf-8")
    return seat


def ask(seat: Seat, prompt: str, *options: str) -> dict[str, Any]:
    """One completed run of the project."""
    ended = seat.run("run", "--project", "shop", "--json", *options, prompt)
    assert (ended.code, ended.result["error"]) == (0, None), ended
    return ended.result


def events_of(seat: Seat, run: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    """The events of one kind in the ledger."""
    with opened_reader(Installation(seat.env)) as ledger:
        return [each.event for each in ledger.events(run["run_id"]) if each.event["type"] == kind]


def renewal(seat: Seat, run: dict[str, Any]) -> str | None:
    """Why a run began a new session, from its events; ``None`` if it did not."""
    found = [event["reason"] for event in events_of(seat, run, "session_renewed")]
    assert len(found) <= 1
    return found[0] if found else None


def said(request: RecordedRequest) -> list[tuple[str, str]]:
    """The roles and texts of the conversation that the vendor received, without the CLI's own additions."""
    texts = []
    for message in request.body["messages"]:
        content = message["content"]
        blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
        texts += [(message["role"], block["text"]) for block in blocks if block["type"] == "text"]
    return [(role, text) for role, text in texts if role != "system" and "<system-reminder>" not in text]


def transcripts(seat: Seat) -> list[Path]:
    return list((seat.home / "state" / "simulator").rglob("*.jsonl"))
