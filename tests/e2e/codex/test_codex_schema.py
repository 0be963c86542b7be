"""What oneseat says to the app-server and reads from it is what the pinned version itself declares."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import msgspec
import pytest

from oneseat.providers.codex_cli import wire

#: Our types, by the name that the CLI has for them.
TYPES: dict[str, type[msgspec.Struct]] = {
    "RateLimitSnapshot": wire.RateLimits,
    "RateLimitWindow": wire.Window,
    "CreditsSnapshot": wire.Credits,
    "TokenUsageBreakdown": wire.Tokens,
    "TurnError": wire.TurnError,
    "Turn": wire.Turn,
    "GetAccountRateLimitsResponse": wire.LimitAnswer,
    "ErrorNotification": wire.ErrorParams,
    "CommandExecutionRequestApprovalParams": wire.ApprovalParams,
    "ThreadStartResponse": wire.ThreadAnswer,
}
ASKED = {
    "initialize", "config/read", "account/rateLimits/read", "thread/start", "thread/resume", "turn/start",
    "turn/interrupt", "mcpServerStatus/list",
}  # fmt: skip
TOLD = {
    "turn/started", "turn/completed", "item/started", "item/completed", "item/agentMessage/delta",
    "item/reasoning/summaryTextDelta", "item/reasoning/textDelta", "thread/tokenUsage/updated",
    "account/rateLimits/updated", "error", "model/rerouted", "thread/compacted",
}  # fmt: skip
QUESTIONS = {
    "item/commandExecution/requestApproval", "item/fileChange/requestApproval",
    "mcpServer/elicitation/request",
}  # fmt: skip


@pytest.fixture(scope="module")
def declared(codex_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("codex-schema")
    subprocess.run(
        [str(codex_path), "app-server", "generate-json-schema", "--experimental", "--out", str(home / "out")],
        env={"HOME": str(home), "CODEX_HOME": str(home), "PATH": "/usr/bin:/bin"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=60,
        check=True,
    )
    return home / "out"


def read(declared: Path, name: str) -> Any:
    return json.loads((declared / name).read_text("utf-8"))


@pytest.mark.parametrize(
    ("file", "used"),
    [("ClientRequest.json", ASKED), ("ServerNotification.json", TOLD), ("ServerRequest.json", QUESTIONS)],
)
def test_every_message_is_one_it_knows(declared: Path, file: str, used: set[str]) -> None:
    known = {one["properties"]["method"]["enum"][0] for one in read(declared, file)["oneOf"]}
    assert used <= known


@pytest.mark.parametrize("name", TYPES)
def test_every_field_is_one_it_has(declared: Path, name: str) -> None:
    together = read(declared, "codex_app_server_protocol.schemas.json")["definitions"]
    known = set((together.get(name) or together["v2"][name])["properties"])
    ours = {field.encode_name for field in msgspec.structs.fields(TYPES[name])}
    assert ours - known == set()


def test_a_thread_can_be_begun_and_asked_as_oneseat_does(declared: Path) -> None:
    types = read(declared, "codex_app_server_protocol.v2.schemas.json")["definitions"]
    begin = {"cwd", "modelProvider", "baseInstructions", "sandbox", "approvalPolicy", "config", "model"}
    assert begin | {"ephemeral"} <= set(types["ThreadStartParams"]["properties"])
    assert begin | {"threadId", "excludeTurns"} <= set(types["ThreadResumeParams"]["properties"])
    asked = {"threadId", "input", "model", "environments", "outputSchema"}
    assert asked <= set(types["TurnStartParams"]["properties"])
