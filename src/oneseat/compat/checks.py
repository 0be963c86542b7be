"""The checks of a trial: a few processes of the CLI, each of which tests several assumptions."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from oneseat.contract.receipt import SessionStamp
from oneseat.contract.request import Tools
from oneseat.providers.claude_cli import account, wire
from oneseat.testing import Answer, Failure, Limits, Reply, Simulator, Text, ToolRound, ToolUse, WindowShare

from . import conversation, waiting
from .conversation import is_text_delta, text_of
from .driver import Folders, Opening, TrialContext, started
from .results import Notes

_INTERRUPT_S = 5.0
_LEAVE_S = 5.0
_LONG_CHARS = 2 * 1024 * 1024
_MADE_UP = "sk-ant-api03-made-up-by-the-canary"
_SETTINGS = json.dumps({"env": {"ANTHROPIC_CUSTOM_HEADERS": "x-oneseat-canary: 1"}})
_SCHEMA = {"type": "object", "properties": {"number": {"type": "integer"}}, "required": ["number"]}
_FULL = WindowShare(window="five_hour", used=1.0, threshold=1.0, resets_in_s=3600)
_PAID = Limits(status="rejected", shares=(_FULL,), overage="allowed", overage_in_use=True)

#: The simulator's replies to the 1st, 2nd, ... request of a check, in addition to its built-in scenarios.
_SCRIPTS: dict[str, tuple[Reply, ...]] = {
    "canary-wallet": (
        Answer(content=(Text("from extra usage"),), limits=_PAID),
        Failure(status=401, kind="authentication_error", message="OAuth token has expired."),
    ),
    "canary-stream": (
        Answer(content=(Text("x" * _LONG_CHARS, delta_chars=_LONG_CHARS),)),
        Answer(content=(Text("half an answer"),), fault="hang", fault_after=2),
    ),
}


class Check(NamedTuple):
    """One process of the CLI and the assumptions that it tests."""

    shows: tuple[str, ...]
    perform: Callable[[TrialContext, Folders, Notes], Awaitable[None]]


def write_scripts(simulator: Simulator) -> None:
    """Add the scripts of the checks to the simulator."""
    for name, replies in _SCRIPTS.items():
        simulator.script(name, replies)


async def _key(context: TrialContext, folders: Folders, notes: Notes) -> None:
    """The CLI reports an API key that it uses, and settings that it read."""
    opening = Opening(extra_env={"ANTHROPIC_API_KEY": _MADE_UP}, extra_options=("--settings", _SETTINGS))
    async with started(context, folders, "ok", opening) as cli:
        found = account.account_of(await cli.ask("initialize"))
        named = found.api_key_source if found is not None else None
        notes.note("key_seen", f"apiKeySource {named}", holds=named == "ANTHROPIC_API_KEY")
        names = [source.name for source in account.settings_sources(await cli.ask("get_settings"))]
        notes.note("settings_seen", names or "no settings", holds="ANTHROPIC_CUSTOM_HEADERS" in names)


async def _token(context: TrialContext, folders: Folders, notes: Notes) -> None:
    """The CLI reports a bearer token in a separate field."""
    opening = Opening(extra_env={"ANTHROPIC_AUTH_TOKEN": _MADE_UP})
    async with started(context, folders, "ok", opening) as cli:
        found = account.account_of(await cli.ask("initialize"))
        named = found.token_source if found is not None else None
        notes.note("token_seen", f"tokenSource {named}", holds=named == "ANTHROPIC_AUTH_TOKEN")


async def _wallet(context: TrialContext, folders: Folders, notes: Notes) -> None:
    """Extra usage is reported while it is being spent, and a rejected login is not a success."""
    async with started(context, folders, "canary-wallet", Opening()) as cli:
        await cli.ask("initialize")
        infos = [
            line.rate_limit_info async for line in cli.turn("one") if isinstance(line, wire.RateLimitLine)
        ]
        overage = [info.is_using_overage for info in infos]
        notes.note("overage", f"isUsingOverage {overage}", holds=overage[-1:] == [True])
        async for line in cli.turn("two"):
            if isinstance(line, wire.ResultLine):
                seen = f"is_error {line.is_error}, api_error_status {line.api_error_status}"
                notes.note("failure", seen, holds=line.is_error)


async def _retries(context: TrialContext, folders: Folders, notes: Notes) -> None:
    """The CLI limits its own retries as configured, and reports them."""
    async with started(context, folders, "overloaded", Opening(max_retries=1)) as cli:
        await cli.ask("initialize")
        lines = [line async for line in cli.turn("one")]
        reported = sum(isinstance(line, wire.SystemLine) and line.subtype == "api_retry" for line in lines)
        requests = len(context.simulator.messages(cli.label))
        seen = f"{requests} requests, {reported} reported retries"
        notes.note("retries", seen, holds=(requests, reported) == (2, 1))


async def _stream(context: TrialContext, folders: Folders, notes: Notes) -> None:
    """Long lines arrive complete, and a turn can be interrupted."""
    async with started(context, folders, "canary-stream", Opening()) as cli:
        await cli.ask("initialize")
        sizes = [len(text_of(line)) async for line in cli.turn("one") if isinstance(line, wire.AssistantLine)]
        notes.note(
            "long_line", f"{sum(sizes)} characters in {len(sizes)} lines", holds=sizes == [_LONG_CHARS]
        )
        loop = asyncio.get_running_loop()
        asked_at = None
        try:
            async with asyncio.timeout(None) as limit:
                async for line in cli.turn("two"):
                    if asked_at is None and is_text_delta(line):
                        asked_at = loop.time()
                        limit.reschedule(asked_at + _INTERRUPT_S)
                        await cli.interrupt()
        except TimeoutError:
            notes.note("interrupt", f"the turn is still active after {_INTERRUPT_S:g} s", holds=False)
        else:
            notes.note("interrupt", "the turn ended", holds=asked_at is not None)


async def _question(context: TrialContext, folders: Folders, notes: Notes) -> None:
    """A denied action is not performed."""
    target = folders.work / "denied.txt"
    call = ToolUse("Write", {"file_path": str(target), "content": "this must not be written"})
    context.simulator.script(
        "canary-question", [ToolRound(call=call, answer=Answer(content=(Text("done"),)))]
    )
    tools = Tools(names=("Write",), directories=(str(folders.temporary),))
    async with started(context, folders, "canary-question", Opening(tools=tools)) as cli:
        await cli.ask("initialize")
        asked = []
        async for line in cli.turn("one"):
            if isinstance(line, wire.ControlRequest) and line.request.subtype == "can_use_tool":
                asked.append(line.request.tool_name)
                await cli.deny(line)
        written = target.exists()
        seen = f"asked about {asked}, {'and it ran' if written else 'and it did not run'}"
        notes.note("question", seen, holds=asked == ["Write"] and not written)


async def _schema(context: TrialContext, folders: Folders, notes: Notes) -> None:
    """A schema passed over stdin works like one on the command line."""
    async with started(context, folders, "structured", Opening()) as cli:
        await cli.ask("initialize", jsonSchema=_SCHEMA)
        async for line in cli.turn("one"):
            if isinstance(line, wire.ResultLine):
                value = line.structured_output
                notes.note("schema", f"structured_output {value!r}", holds=value == {"number": 1})


async def _session(context: TrialContext, folders: Folders, notes: Notes) -> None:
    """A conversation outlives its process."""
    session_id = str(uuid.uuid4())
    for resumed in (False, True):
        opening = Opening(session=SessionStamp(session_id, resumed, 1 + resumed))
        async with started(context, folders, "ok", opening) as cli:
            await cli.ask("initialize")
            async for _ in cli.turn("the second message" if resumed else "the first message"):
                pass
            await cli.leave(_LEAVE_S)
        sent = context.simulator.messages(cli.label)
        if resumed:
            remembered = any("the first message" in json.dumps(request.body) for request in sent)
            notes.note(
                "resume", f"{len(sent)} requests, what was said is in them: {remembered}", holds=remembered
            )
        else:
            records = list(folders.config.glob(f"projects/*/{session_id}.jsonl"))
            notes.note(
                "session", f"{len(sent)} requests, {len(records)} records", holds=bool(sent and records)
            )


#: Slowest first, which shortens the whole trial.
CHECKS = (
    Check(("overage", "failure"), _wallet),
    Check(conversation.SHOWS, conversation.converse),
    Check(("long_line", "interrupt"), _stream),
    Check(waiting.SHOWS, waiting.wait_and_serve),
    Check(("session", "resume"), _session),
    Check(("retries",), _retries),
    Check(("question",), _question),
    Check(("schema",), _schema),
    Check(("key_seen", "settings_seen"), _key),
    Check(("token_seen",), _token),
)
