"""What oneseat writes to the CLI: control requests, answers to its questions, and the user's message."""

from __future__ import annotations

import base64
from typing import Any

from oneseat._util import tolerant
from oneseat.contract.request import Attachment, Request


def control_request(request_id: str, subtype: str, **fields: Any) -> bytes:
    """A control request as one line."""
    return _line(
        {"type": "control_request", "request_id": request_id, "request": {"subtype": subtype, **fields}}
    )


def permission(request_id: str, allowed_input: dict[str, Any] | None, why: str) -> bytes:
    """Answer a permission question: yes with the input to use, or no (``None``). Unanswered, the CLI would wait for ever."""
    answer: dict[str, Any] = {"behavior": "deny", "message": why}
    if allowed_input is not None:
        answer = {"behavior": "allow", "updatedInput": allowed_input}
    return _answer(request_id, {"subtype": "success", "response": answer})


def mcp_answer(request_id: str, message: dict[str, Any]) -> bytes:
    """Answer a message to the MCP server that this process is."""
    return _answer(request_id, {"subtype": "success", "response": {"mcp_response": message}})


def unsupported(request_id: str, subtype: str) -> bytes:
    """Answer a question this version does not know, so that the CLI does not wait for ever."""
    return _answer(request_id, {"subtype": "error", "error": f"oneseat does not answer {subtype}"})


def block_prompt(request_id: str) -> bytes:
    """Answer the hook that is asked whether a prompt may be sent: no, and the turn is over."""
    no = {"decision": "block", "reason": "held back", "continue": False, "stopReason": "held back"}
    return _answer(request_id, {"subtype": "success", "response": no})


def text_message(text: str, name: str | None = None) -> bytes:
    """A further message in the same conversation; ``name`` as for ``user_message``."""
    return _user([{"type": "text", "text": _not_a_command(text)}], name)


def user_message(request: Request, background: str | None = None, name: str | None = None) -> bytes:
    """The prompt as one line, after its attachments and a ``background``, which is sent as it is.

    Text stays text: no path in it is read, no command in it is run. ``name``, a UUID, is what the CLI will know it by.
    """
    blocks: list[dict[str, Any]] = []
    if background is not None:
        blocks.append({"type": "text", "text": background})
    blocks += [_attached(attachment) for attachment in request.attachments]
    blocks.append({"type": "text", "text": _not_a_command(request.prompt)})
    return _user(blocks, name)


def _user(blocks: list[dict[str, Any]], name: str | None = None) -> bytes:
    line: dict[str, Any] = {"type": "user", "message": {"role": "user", "content": blocks}}
    line.update(parent_tool_use_id=None, session_id="")
    return _line(line if name is None else {**line, "uuid": name})


def _not_a_command(prompt: str) -> str:
    # The CLI takes a last text block that begins with a slash for one of its commands and sends nothing (measured).
    return f" {prompt}" if prompt.startswith("/") else prompt


def _attached(attachment: Attachment) -> dict[str, Any]:
    kind = attachment.media_type
    # A file name need not be UTF-8; the message has to be.
    name = attachment.name.encode("utf-8", "replace").decode()
    if kind.startswith("image/"):
        return {"type": "image", "source": _base64(attachment)}
    if kind == "application/pdf":
        return {"type": "document", "title": name, "source": _base64(attachment)}
    text = attachment.data.decode("utf-8", "replace")
    return {"type": "text", "text": f'<file name="{name}">\n{text}\n</file>'}


def _base64(attachment: Attachment) -> dict[str, str]:
    data = base64.b64encode(attachment.data).decode("ascii")
    return {"type": "base64", "media_type": attachment.media_type, "data": data}


def _answer(request_id: str, response: dict[str, Any]) -> bytes:
    return _line({"type": "control_response", "response": {"request_id": request_id, **response}})


def _line(value: dict[str, Any]) -> bytes:
    # Unsent, a message with half of a surrogate pair would leave the CLI waiting for ever.
    return tolerant.encode(value) + b"\n"
