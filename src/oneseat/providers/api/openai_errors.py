"""Reads the errors of OpenAI's SDK, for both of its APIs."""

from __future__ import annotations

import re
from typing import Any

from openai import APIConnectionError, APIError, APIStatusError

from .chat import VendorError
from .failures import retry_after


class FailedError(Exception):
    """Raised when a stream reports that the answer failed."""

    def __init__(self, said: VendorError) -> None:
        super().__init__(said.message)
        self.said = said


def failure_in(chunk: dict[str, Any]) -> FailedError | None:
    """The failure that a chunk of an answer reports; servers use several formats for it."""
    error = chunk.get("error")
    if not error:
        # DeepInfra, vLLM and FastAPI send it in place of the answer.
        named = chunk.get("error_message") or (not chunk.get("choices") and chunk.get("detail"))
        if not named and chunk.get("object") != "error":
            return None
        error = {
            "message": named or chunk.get("message"),
            "code": chunk.get("code"),
            "type": chunk.get("error_type"),
        }
    fields = error if isinstance(error, dict) else {"message": error}
    codes = [
        code for code in (fields.get("code"), fields.get("type")) if isinstance(code, str | int) and code
    ]
    status = next((int(code) for code in codes if re.fullmatch(r"[45]\d\d", str(code), re.ASCII)), None)
    message = fields.get("message")
    words = message if isinstance(message, str) else ""
    return FailedError(VendorError(status, tuple(map(str, codes)), words))


def said(error: Exception) -> VendorError | None:
    """The vendor's error in an exception; ``None`` when it is not from the vendor."""

    if not isinstance(error, APIError) or isinstance(error, APIConnectionError):
        return None
    body = error.body if isinstance(error.body, dict) else {}
    words = body.get("message")
    kinds = tuple(str(kind) for kind in (error.code, error.type) if kind)
    message = words if isinstance(words, str) else ""
    if isinstance(error, APIStatusError):
        return VendorError(error.status_code, kinds, message, retry_after(error.response.headers))
    return VendorError(None, kinds, message or error.message)
