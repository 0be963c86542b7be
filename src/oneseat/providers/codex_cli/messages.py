"""What the CLI is told of a request: the input of a turn, and the schema of its answer."""

from __future__ import annotations

import base64
from typing import Any

import msgspec

from oneseat.contract.request import Attachment, Request

#: The CLI's own instructions are 22 kB and speak of tools that the run may not have.
DEFAULT_SYSTEM = "Answer the request directly."


def turn_input(request: Request, background: str | None) -> list[dict[str, Any]]:
    """The prompt after its attachments and a ``background``, which is sent as it is."""
    parts = [] if background is None else [_text(background)]
    parts += [_attached(attachment) for attachment in request.attachments]
    parts.append(_text(request.prompt))
    if request.schema is not None and not is_strict(request.schema):
        # Only a strict schema can be enforced by the vendor, which refuses any other; the answer is checked all the same.
        schema = msgspec.json.encode(request.schema).decode()
        parts.append(_text(f"Answer with one JSON object alone, which fits this JSON Schema:\n{schema}"))
    return parts


def output_schema(request: Request) -> dict[str, Any] | None:
    """The schema that the vendor shall enforce; ``None`` without one that it can."""
    return request.schema if request.schema is not None and is_strict(request.schema) else None


def further_input(text: str) -> list[dict[str, Any]]:
    """A further message in the same conversation."""
    return [_text(text)]


def is_strict(schema: object) -> bool:
    """Whether every object in a schema names all that it holds, as strict schemas must."""
    if isinstance(schema, list):
        return all(map(is_strict, schema))
    if not isinstance(schema, dict):
        return True
    if schema.get("type") == "object" or "properties" in schema:
        properties = schema.get("properties")
        names = set(properties) if isinstance(properties, dict) else set()
        if schema.get("additionalProperties") is not False or names != set(schema.get("required", ())):
            return False
    return all(map(is_strict, schema.values()))


def _text(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}


def _attached(attachment: Attachment) -> dict[str, Any]:
    if attachment.media_type.startswith("image/"):
        data = base64.b64encode(attachment.data).decode("ascii")
        return {"type": "image", "url": f"data:{attachment.media_type};base64,{data}"}
    # A file name need not be UTF-8; the message has to be.
    name = attachment.name.encode("utf-8", "replace").decode()
    return _text(f'<file name="{name}">\n{attachment.data.decode("utf-8", "replace")}\n</file>')
