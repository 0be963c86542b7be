"""Translates a request for the CLI: the input of a turn, and the schema of its answer."""

from __future__ import annotations

import base64
from typing import Any

import msgspec

from oneseat.contract.request import Attachment, Request
from oneseat.providers.schemas import is_strict, portable

#: Replaces the CLI's own instructions, which are 22 kB and mention tools that the run may not have.
DEFAULT_SYSTEM = "Answer the request directly."


def turn_input(request: Request, background: str | None) -> list[dict[str, Any]]:
    """The attachments and a ``background``, which is sent unchanged, followed by the prompt."""
    parts = [] if background is None else [_text(background)]
    parts += [_attached(attachment) for attachment in request.attachments]
    parts.append(_text(request.prompt))
    if request.schema is not None and output_schema(request) is None:
        # The vendor accepts strict schemas only; oneseat checks the answer in any case.
        schema = msgspec.json.encode(request.schema).decode()
        parts.append(_text(f"Answer with one JSON object alone, which fits this JSON Schema:\n{schema}"))
    return parts


def output_schema(request: Request) -> dict[str, Any] | None:
    """The schema for the vendor to enforce; ``None`` if there is none that it can."""
    schema = None if request.schema is None else portable(request.schema)
    return schema if is_strict(schema) else None


def further_input(text: str) -> list[dict[str, Any]]:
    """A further message in the same conversation."""
    return [_text(text)]


def _text(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}


def _attached(attachment: Attachment) -> dict[str, Any]:
    if attachment.media_type.startswith("image/"):
        data = base64.b64encode(attachment.data).decode("ascii")
        return {"type": "image", "url": f"data:{attachment.media_type};base64,{data}"}
    # A file name may not be UTF-8, but the message must be.
    name = attachment.name.encode("utf-8", "replace").decode()
    return _text(f'<file name="{name}">\n{attachment.data.decode("utf-8", "replace")}\n</file>')
