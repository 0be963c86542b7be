"""The first check: an ordinary conversation of two turns, in a directory full of decoys."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from oneseat.providers.claude_cli import account, wire
from oneseat.providers.cli_common.lines import Undecoded
from oneseat.testing import Simulator

from .decoys import Decoys
from .driver import MODEL, CliDriver, Folders, Line, Opening, TrialContext, started
from .results import Notes

#: The simulator's scenario that repeats the prompt.
PLAYS = "echo"
SHOWS = (
    *("options", "login", "quiet", "models", "isolation", "system", "memory", "attachments", "no_tools"),
    *("slash", "lines", "success", "exit", "nothing_left"),
)
_SYSTEM = "You are the canary of oneseat."
#: The most that the CLI may put before the instructions by itself, in characters; its own instructions are 27,000.
_PREFACE = 1000
_EXIT_S = 5.0


async def converse(context: TrialContext, folders: Folders, notes: Notes) -> None:
    """Note what is seen at the start, during two prompts and at the end of a conversation."""
    decoys = Decoys(folders, context.simulator, f"elsewhere-{folders.work.parent.name}")
    async with started(context, folders, PLAYS, Opening()) as cli:
        _note_opening(await cli.ask("initialize", systemPrompt=_SYSTEM), notes)
        await cli.ask("get_settings")
        early = [each.path for each in context.simulator.requests(cli.label) if each.method == "POST"]
        notes.note("quiet", ", ".join(early) or "nothing was sent", holds=not early)
        prompt = f"read @{decoys.file}"
        lines = [line async for line in cli.turn(prompt)]
        _note_lines(lines, prompt, notes)
        _note_request(_bodies(context.simulator, cli.label)[:1], prompt, decoys, notes)
        sprung = decoys.sprung(cli.label, _servers(lines))
        notes.note("isolation", "; ".join(sprung) or "no effect", holds=not sprung)
        await _second_turn(context, cli, notes)
        await _end(cli, notes)


def _note_opening(opened: dict[str, Any], notes: Notes) -> None:
    notes.note("options", "it started", holds=True)
    found = account.account_of(opened)
    signed_in = found is not None and (found.token_source, found.api_provider, found.api_key_source) == (
        "CLAUDE_CODE_OAUTH_TOKEN",
        "firstParty",
        None,
    )
    notes.note("login", found or "no account", holds=signed_in)
    listed = opened.get("models")
    models = (
        [model.get("value") for model in listed if isinstance(model, dict)]
        if isinstance(listed, list)
        else []
    )
    notes.note("models", models or "no models", holds=MODEL in models)


def _note_lines(lines: Sequence[Line], prompt: str, notes: Notes) -> None:
    missing = [name for name, there in _known(lines).items() if not there]
    undecoded = sorted({line.why for line in lines if isinstance(line, Undecoded)})
    seen = (
        "all of them"
        if not missing
        else f"missing: {', '.join(missing)}" + f"; {undecoded}" * bool(undecoded)
    )
    notes.note("lines", seen, holds=not missing)
    result = lines[-1]
    if isinstance(result, wire.ResultLine):
        tokens = result.usage.output_tokens if result.usage is not None else None
        answered = not result.is_error and result.result == prompt and tokens is not None
        notes.note(
            "success", f"is_error {result.is_error}, {tokens} tokens, text {result.result!r}", holds=answered
        )


def _known(lines: Sequence[Line]) -> dict[str, bool]:
    return {
        "init": any(isinstance(line, wire.SystemLine) and line.subtype == "init" for line in lines),
        "text deltas": any(is_text_delta(line) for line in lines),
        "assistant": any(isinstance(line, wire.AssistantLine) and text_of(line) for line in lines),
        "rate_limit_event": any(
            isinstance(line, wire.RateLimitLine) and line.rate_limit_info.rate_limit_type for line in lines
        ),
    }


def is_text_delta(line: Line) -> bool:
    """Whether a line contains a piece of the answer."""
    return isinstance(line, wire.StreamEvent) and line.event.delta is not None and bool(line.event.delta.text)


def text_of(line: wire.AssistantLine) -> str:
    """The text of a finished message."""
    content = line.message.content
    return content if isinstance(content, str) else "".join(block.text or "" for block in content)


def _servers(lines: Sequence[Line]) -> list[str]:
    return [server.name for line in lines if isinstance(line, wire.SystemLine) for server in line.mcp_servers]


def _note_request(bodies: list[dict[str, Any]], prompt: str, decoys: Decoys, notes: Notes) -> None:
    if not bodies:
        return
    (body,) = bodies
    system = [block.get("text", "") for block in _blocks(body.get("system"))]
    size = sum(map(len, system))
    replaced = system[-1:] == [_SYSTEM] and size <= _PREFACE
    notes.note(
        "system", f"{size} characters, the last of {len(system)} parts is {system[-1:]}", holds=replaced
    )
    whole = json.dumps(body, ensure_ascii=False)
    read, remembered = decoys.read_in(whole), decoys.remembered_in(whole)
    notes.note("memory", "it was sent" if remembered else "it was not sent", holds=not remembered)
    notes.note(
        "attachments",
        "the file was sent" if read else f"text {_last_user_text(body)!r}",
        holds=not read and _last_user_text(body) == prompt,
    )
    offered = [tool.get("name") for tool in body.get("tools") or []]
    notes.note("no_tools", offered or "none", holds=not offered)


async def _second_turn(context: TrialContext, cli: CliDriver, notes: Notes) -> None:
    async for _ in cli.turn("/usage"):
        pass
    bodies = _bodies(context.simulator, cli.label)[1:]
    sent_text = _last_user_text(bodies[0]) if bodies else None
    # The current CLI would run it as a command without the leading space that oneseat adds.
    seen = "nothing was sent" if sent_text is None else f"text {sent_text!r}"
    notes.note("slash", seen, holds=sent_text is not None and sent_text.strip() == "/usage")


async def _end(cli: CliDriver, notes: Notes) -> None:
    code = await cli.leave(_EXIT_S)
    seen = "it still runs" if code is None else f"exit code {code}"
    notes.note("exit", seen, holds=code is not None)
    left = await cli.survivors()
    notes.note("nothing_left", ", ".join(left) or "none", holds=not left)


def _bodies(simulator: Simulator, label: str) -> list[dict[str, Any]]:
    return [request.body for request in simulator.messages(label) if isinstance(request.body, dict)]


def _last_user_text(body: dict[str, Any]) -> str:
    """The user's last text in the request."""
    asked = [message for message in body.get("messages", []) if message.get("role") == "user"]
    texts = [block.get("text", "") for message in asked for block in _blocks(message.get("content"))]
    return texts[-1] if texts else ""


def _blocks(content: object) -> list[dict[str, Any]]:
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    return [block for block in content if isinstance(block, dict)] if isinstance(content, list) else []
