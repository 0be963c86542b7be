"""Reads the files a caller names: prompts, instructions and attachments."""

from __future__ import annotations

from pathlib import Path

from oneseat.contract.errors import ErrorInfo, UsageError
from oneseat.contract.request import Attachment

#: The official CLI refuses larger input; refuse it first, before anything is spent.
MAX_INPUT_BYTES = 10_000_000
#: File types besides text that a model can read, by their first bytes.
_MAGIC = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF8", "image/gif"),
    (b"%PDF-", "application/pdf"),
)


def read_attachment(path: Path) -> Attachment:
    """Read a file to send along: an image, a PDF, or UTF-8 text.

    Raises ``UsageError``: ``usage.unreadable_file``, ``usage.too_large``, ``usage.unsupported_file``.
    """
    return decode_attachment(str(path), _read(path))


def decode_attachment(source: str, data: bytes) -> Attachment:
    """Make an attachment of bytes from ``source``, a file name. Raises like ``read_attachment``."""
    if len(data) > MAX_INPUT_BYTES:
        raise _too_large(source, len(data))
    kind = _media_type(data)
    if kind is None:
        try:
            data.decode("utf-8")
        except UnicodeDecodeError as error:
            raise UsageError(
                ErrorInfo(
                    code="usage.unsupported_file",
                    message=f"This file cannot be attached: `{source}`\n"
                    f"  it is neither an image (PNG, JPEG, GIF, WebP), a PDF, nor UTF-8 text (byte {error.start} is not)",
                )
            ) from error
    return Attachment(Path(source).name, kind or "text/plain", data)


def read_text(path: Path) -> str:
    """Read a UTF-8 text file. Raises ``UsageError``: ``usage.unreadable_file``, ``usage.too_large``, ``usage.invalid_utf8``."""
    return decode_text(_read(path), str(path))


def decode_text(data: bytes, source: str) -> str:
    """Decode UTF-8 from ``source`` (a file name or "standard input"), without a byte order mark.

    Raises ``UsageError`` ``usage.invalid_utf8`` with the place of the first bad byte, or ``usage.too_large``.
    """
    if len(data) > MAX_INPUT_BYTES:
        raise _too_large(source, len(data))
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise UsageError(
            ErrorInfo(
                code="usage.invalid_utf8",
                message=f"The text is not UTF-8: `{source}`\n  byte {error.start} (line {line}) is 0x{data[error.start]:02x}",
                hint=f"Convert it: `iconv -f latin1 -t utf-8 {source}`"
                if source != "standard input"
                else None,
            )
        ) from error


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_INPUT_BYTES + 1)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise UsageError(
            ErrorInfo(code="usage.unreadable_file", message=f"The file cannot be read: `{path}`\n  {why}")
        ) from error
    if len(data) > MAX_INPUT_BYTES:
        raise _too_large(str(path), path.stat().st_size)
    return data


def _too_large(source: str, size: int) -> UsageError:
    return UsageError(
        ErrorInfo(
            code="usage.too_large",
            message=f"The input is too large: `{source}`\n  {size:,} bytes; the official CLI takes at most {MAX_INPUT_BYTES:,}",
        )
    )


def _media_type(data: bytes) -> str | None:
    for magic, kind in _MAGIC:
        if data.startswith(magic):
            return kind
    return "image/webp" if data[:4] == b"RIFF" and data[8:12] == b"WEBP" else None
