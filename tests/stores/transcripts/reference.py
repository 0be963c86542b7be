"""A slow second counter, written for these tests alone: it shares no line with the index and none with the corpus."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

KINDS = ("input", "output", "cache_read", "cache_write_5m", "cache_write_1h")


class Counted(NamedTuple):
    """One answer, as all files together show it."""

    at: datetime | None
    model: str
    session: str
    project: str
    tokens: tuple[int, int, int, int, int]


def count(roots: Iterable[Path]) -> dict[str, Counted]:
    """Every answer below the configuration folders by its id."""
    sightings: dict[str, list[tuple[Any, Counted]]] = {}
    for root in roots:
        for path in (root / "projects").rglob("*.jsonl"):
            if path.is_file() and not path.is_symlink():
                for name, rank, counted in answers(path.read_bytes(), path, root / "projects"):
                    sightings.setdefault(name, []).append((rank, counted))
    return {name: max(seen)[1] for name, seen in sightings.items()}


def answers(data: bytes, path: Path, base: Path) -> Iterator[tuple[str, Any, Counted]]:
    """The answers in a file, each with its id and how much it is to be believed."""
    parts = path.relative_to(base).parts
    for number, line in enumerate(data.split(b"\n")):
        for record in objects(line):
            message = record.get("message")
            if record.get("type", "assistant") != "assistant" or not isinstance(message, dict):
                continue
            tokens = tokens_of(message.get("usage"))
            if tokens is None or message.get("model") == "<synthetic>":
                continue
            at = moment(record.get("timestamp"))
            session = record.get("requestSessionId") or record.get("sessionId") or Path(parts[1]).stem
            counted = Counted(at, message.get("model") or "", session, record.get("cwd") or parts[0], tokens)
            name = message.get("id") or record.get("uuid") or f"{path}:{number}"
            age = (datetime.max.replace(tzinfo=UTC) - at).total_seconds() if at else -1.0
            rank = (record.get("isSidechain") is not True, tokens[1], tokens[0], *tokens[2:], age, session)
            yield name, rank, counted


def objects(line: bytes) -> Iterator[dict[str, Any]]:
    """The objects on a line, as far as it is JSON."""
    text = line.decode("utf-8", "replace").strip("\ufeff\0 \r\t")
    while text:
        try:
            value, end = json.JSONDecoder().raw_decode(text)
        except ValueError:
            return
        if isinstance(value, dict):
            yield value
        text = text[end:].strip("\ufeff\0 \r\t")


def tokens_of(usage: Any) -> tuple[int, int, int, int, int] | None:
    """The tokens of a usage by kind; ``None`` when it is none."""
    if not isinstance(usage, dict) or "output_tokens" not in usage:
        return None
    split = usage.get("cache_creation") or {}
    names = ("input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")
    values = [usage.get(name) or 0 for name in names] + list(split.values())
    if any(
        isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**60 for value in values
    ):
        return None
    hour = split.get("ephemeral_1h_input_tokens", 0)
    five = max(split.get("ephemeral_5m_input_tokens", 0), values[3] - hour)
    return (values[0], values[1], values[2], five, hour)


def moment(stamp: Any) -> datetime | None:
    """When; ``None`` when that is no date of this century."""
    try:
        at = datetime.fromisoformat(stamp)
    except (TypeError, ValueError):
        return None
    at = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    return at if at.year >= 2000 else None
