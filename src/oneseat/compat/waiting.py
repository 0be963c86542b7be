"""The check of a process started in advance: it can change its model, forget a run, and list its servers before a prompt."""

from __future__ import annotations

import json
import sys
import uuid
from typing import Any

from .driver import Folders, Opening, TrialContext, started
from .results import Notes

SHOWS = ("switch", "forget", "servers")
#: A server that exits at once; the CLI lists it all the same.
_SERVERS = {"mcpServers": {"desk": {"command": sys.executable, "args": ["-IS", "-c", ""]}}}
_MODEL = "haiku"


async def wait_and_serve(context: TrialContext, folders: Folders, notes: Notes) -> None:
    """Note what is seen with two independent prompts on one process."""
    opening = Opening(extra_options=(f"--mcp-config={json.dumps(_SERVERS)}",))
    async with started(context, folders, "echo", opening) as cli:
        opened = await cli.ask("initialize")
        names = _names(await cli.ask("mcp_status"))
        notes.note("servers", names or "none", holds=names == ["desk"])
        await cli.ask("set_model", model=_MODEL)
        early = len(context.simulator.messages(cli.label))
        first, second = str(uuid.uuid4()), "the second prompt"
        async for _ in cli.turn("the first prompt", first):
            pass
        answer = await cli.ask("rewind_conversation", target_message_uuid=first)
        async for _ in cli.turn(second):
            pass
        bodies = [request.body for request in context.simulator.messages(cli.label)]
        _note_model(bodies, notes, early=early, named=isinstance(opened.get("claude_code_version"), str))
        back = answer.get("rewound") is True and answer.get("precedingAssistantUuid") is None
        kept = any("the first prompt" in json.dumps(body) for body in bodies[1:])
        seen = f"it says that it {'is' if back else 'cannot go'} back, and {'sends' if kept else 'does not send'} it"
        notes.note("forget", seen, holds=len(bodies) == 2 and not (back and kept))


def _note_model(bodies: list[Any], notes: Notes, *, early: int, named: bool) -> None:
    models = [str(body.get("model")) for body in bodies]
    traced = any("local-command" in json.dumps(body) for body in bodies)
    # Before 2.1.329 the CLI did not report its version on `initialize`, and told the model about the change. oneseat does not
    # change the model of such a version.
    holds = bool(models) and all(_MODEL in model for model in models) and not (named and traced) and not early
    seen = f"models {models}, {'a trace' if traced else 'no trace'} of the change, {early} requests before the prompt"
    notes.note("switch", seen, holds=holds)


def _names(answer: dict[str, Any]) -> list[Any]:
    listed = answer.get("mcpServers")
    servers = listed if isinstance(listed, list) else []
    return [server.get("name") for server in servers if isinstance(server, dict)]
