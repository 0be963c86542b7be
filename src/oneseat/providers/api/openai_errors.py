"""What an error of OpenAI's SDK says, for both of its APIs."""

from __future__ import annotations

from openai import APIConnectionError, APIError, APIStatusError

from .chat import VendorError
from .failures import retry_after


def said(error: Exception) -> VendorError | None:
    """What the vendor says by it; ``None`` when it is not the vendor who speaks."""

    if not isinstance(error, APIError) or isinstance(error, APIConnectionError):
        return None
    body = error.body if isinstance(error.body, dict) else {}
    words = body.get("message")
    kinds = tuple(str(kind) for kind in (error.code, error.type) if kind)
    message = words if isinstance(words, str) else ""
    if isinstance(error, APIStatusError):
        return VendorError(error.status_code, kinds, message, retry_after(error.response.headers))
    return VendorError(None, kinds, message or error.message)
