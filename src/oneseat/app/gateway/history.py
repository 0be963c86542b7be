"""The history that a chat client sends with every request: a key that tells whether we hold that conversation, and its text."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import msgspec

from oneseat._util import tolerant
from oneseat.contract.gateway.chat import Chat, Turn
from oneseat.contract.gateway.clients import ApiClient
from oneseat.contract.request import FUNCTIONS, MCP_PREFIX

#: What is said to the model when a request ends with results of tools that no held conversation waits for.
_GO_ON = "The results of your tool calls are the last turn of the conversation. Continue with them."
#: What is said where a message consists of files only.
_LOOK = "See what is attached."
_INTRODUCTION = (
    "The conversation so far is below, one JSON object per turn. "
    "Answer the message after it as the next turn, without repeating it."
)


def key_of(client: ApiClient, chat: Chat, turns: Sequence[Turn]) -> str:
    """The key of a conversation: equal only for the same client, model, instructions, tools, schema and turns.

    A conversation whose instructions have changed is another one: the official CLI would go on with the old ones.
    """
    tools = [(tool.name, tool.description, tool.schema) for tool in chat.tools]
    fixed = [client.name, chat.model, chat.system, tools, chat.schema, chat.forced]
    return hashlib.sha256(_canonical([fixed, [_turn_key(turn) for turn in turns]])).hexdigest()


def split(chat: Chat) -> tuple[tuple[Turn, ...], Turn]:
    """The turns up to the last answer, and what the user has said since."""
    return chat.turns[:-1], chat.turns[-1]


def fresh_prompt(chat: Chat) -> str:
    """The text for a conversation that begins now; earlier turns are rendered before the last message."""
    earlier, last = split(chat)
    if not earlier:
        return next_prompt(last)
    shown = earlier if not last.answers else chat.turns
    lines = [_INTRODUCTION, "<conversation>", *map(_rendered, shown), "</conversation>", ""]
    # Results without a word of the user: the question was asked before.
    return "\n".join([*lines, next_prompt(last) if not last.answers else _GO_ON])


def next_prompt(last: Turn) -> str:
    """The text for a conversation that goes on."""
    return last.text or (_LOOK if last.attachments else "")


def answers_with_text(last: Turn) -> dict[str, tuple[str, bool]]:
    """The results by the id of their calls. What the user says beside them goes behind the last one, as it stands there."""
    found = {each.id: (each.text, each.is_error) for each in last.answers}
    if last.text and last.answers:
        text, is_error = found[last.answers[-1].id]
        found[last.answers[-1].id] = (f"{text}\n\n{last.text}", is_error)
    return found


def _turn_key(turn: Turn) -> list[Any]:
    attached = [hashlib.sha256(each.data).hexdigest() for each in turn.attachments]
    calls = [(call.id, call.name, call.input) for call in turn.calls]
    answers = [(each.id, each.text, each.is_error) for each in turn.answers]
    return [turn.role, turn.text, attached, calls, answers]


def _rendered(turn: Turn) -> str:
    shown: dict[str, Any] = {"role": turn.role}
    if turn.text:
        shown["text"] = turn.text
    if turn.attachments:
        shown["attached"] = [each.name for each in turn.attachments]
    if turn.calls:
        shown["calls"] = [
            {"id": call.id, "name": f"{MCP_PREFIX}{FUNCTIONS}__{call.name}", "input": call.input}
            for call in turn.calls
        ]
    if turn.answers:
        shown["results"] = [
            {"id": each.id, "result": each.text, **({"is_error": True} if each.is_error else {})}
            for each in turn.answers
        ]
    # Escaped, so that no text of a turn can end the block.
    return tolerant.encode(shown).decode().replace("<", "\\u003c")


def _canonical(value: Any) -> bytes:
    # Clients write the arguments of a call in an order of their own.
    return msgspec.json.encode(value, order="deterministic")
