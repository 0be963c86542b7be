"""Files that the CLI removed from the conversation before it asked again."""

from __future__ import annotations

import json
from typing import Any

import pytest

from oneseat.contract.events import TurnEnded
from oneseat.providers.claude_cli import wire
from oneseat.providers.claude_cli.parse import Parser

REMOVED = {"type": "text", "text": "API Error: a document in the conversation was removed."}
CALL = {"type": "tool_use", "id": "t", "name": "Read", "input": {}}
ANSWER = {"type": "text", "text": "It grew."}


def notice(kind: str, **fields: Any) -> dict[str, Any]:
    return {"message": {"content": [REMOVED]}, "error": "invalid_request", "api_error": kind, **fields}


@pytest.mark.parametrize(
    ("notices", "code"),
    [
        ([notice("media_removed")], "incomplete.attachment_refused"),
        (
            [notice("media_removed", api_error_params={"media_reason": "media_budget"})],
            "incomplete.attachment_refused",
        ),
        ([notice("pdf_password_protected")], "incomplete.attachment_refused"),
        ([notice("media_removed", error={"class": "new"})], "incomplete.attachment_refused"),
        ([notice("media_removed"), {"message": {"content": [CALL]}}], "incomplete.attachment_refused"),
        ([{"message": {"content": [CALL]}}, notice("media_removed")], None),
        ([notice("media_removed", parent_tool_use_id="agent")], None),
        ([notice("tool_history_mismatch")], None),
    ],
)
def test_a_removed_file_is_an_error_unless_a_tool_has_read_it(
    notices: list[dict[str, Any]], code: str | None
) -> None:
    parser = Parser("run", lambda: 0.0, str)
    said = [*notices, {"message": {"content": [ANSWER]}}]
    lines = [{"type": "assistant", **fields} for fields in said]
    result = {"type": "result", "subtype": "success", "result": "It grew.", "total_cost_usd": 0.5}
    block = b"\n".join(json.dumps(line).encode() for line in [*lines, result])
    events = [event for line in wire.decode_all(block) for event in parser.events(line)]
    ended = events[-1]
    assert isinstance(ended, TurnEnded)
    assert (ended.text, ended.list_cost_usd) == ("It grew.", 0.5)
    assert (ended.error.code if ended.error is not None else None) == code
