"""Events per second when a CLI prints as fast as a pipe carries: 400,000 lines of a long agent run."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import msgspec

from oneseat.testing import Simulator

from .harness import Figure, Goal, Measure, Spread, compare, race
from .processes import PROGRAMS, PYTHON, claude_env, measure, oneseat_env, scratch

ROUNDS = 5
LINES = 400_000
#: A message takes 20 lines: it begins, comes in pieces as with partial messages switched on, and is repeated as a whole.
_MESSAGE_EVERY = 20
#: Every 4th message calls a tool, whose result follows.
_TOOL_EVERY = 4
OURS, WHOLE, SDK = "provider", "app", "claude-agent-sdk query()"


def run() -> list[Figure]:
    """Count from the first line read to the last, inside the consuming process: neither start-up nor import is counted."""
    memory: list[list[float]] = []
    # The fake CLI asks no server, but a run checks first that one answers.
    with scratch() as home, Simulator() as simulator:
        fake = write_fake_cli(home)
        ours = {**oneseat_env(home, simulator.url("ok")), "ONESEAT_CLAUDE_PATH": str(fake)}
        theirs = {**claude_env(home, simulator.url("ok")), "BENCH_CLAUDE": str(fake)}
        samples = race(
            {
                OURS: _events_per_s("oneseat_decode.py", ours, memory, "provider"),
                WHOLE: _events_per_s("oneseat_decode.py", ours, [], "app"),
                SDK: _events_per_s("sdk_decode.py", theirs, []),
            },
            ROUNDS,
            warm_up=0,
        )
    goal = Goal(6, more_is_better=True)
    return [
        compare("events decoded, provider", "events/s", samples, OURS, SDK, goal=goal, more_is_better=True),
        compare(
            "events of a whole run, with its ledger",
            "events/s",
            samples,
            WHOLE,
            SDK,
            goal=Goal(1.1, more_is_better=True),
            more_is_better=True,
        ),
        Figure("memory after the first eighth of the stream", "MB", Spread.of([seen[0] for seen in memory])),
        Figure("memory at its end", "MB", Spread.of([seen[-1] for seen in memory])),
    ]


def _events_per_s(program: str, env: dict[str, str], memory: list[list[float]], *arguments: str) -> Measure:
    def take() -> float:
        done = measure([PYTHON, str(PROGRAMS / program), *arguments], env)
        report: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        memory.append(report.get("memory_mb", []))
        return float(LINES / report["wall_s"])

    return take


def write_fake_cli(folder: Path) -> Path:
    """A program that answers the control requests of a start, and to the first prompt prints the recorded stream."""
    stream = folder / "stream.jsonl"
    with stream.open("wb") as file:
        for number in range(LINES - 1):
            file.write(_line(number))
        file.write(_result())
    fake = folder / "claude"
    command = [PYTHON, str(PROGRAMS / "fake_cli.py"), str(stream)]
    fake.write_text(f'#!/bin/sh\nexec {shlex.join(command)} "$@"\n', "utf-8")
    fake.chmod(0o700)
    return fake


_SESSION = {"session_id": "6a2f1c9e-0000-4000-8000-000000000001", "parent_tool_use_id": None}
_USAGE = {
    "input_tokens": 12,
    "output_tokens": 3,
    "cache_creation_input_tokens": 0,
    "cache_read_input_tokens": 900,
}


def _line(number: int) -> bytes:
    uuid = {"uuid": f"00000000-0000-4000-8000-{number:012d}"}
    place = number % _MESSAGE_EVERY
    message, kind = number // _MESSAGE_EVERY, "stream_event"
    if place == 0:
        start = {**_message(message, []), "stop_reason": None}
        line: dict[str, Any] = {"event": {"type": "message_start", "message": start}}
    elif place == _MESSAGE_EVERY - 2:
        kind, line = "assistant", {"message": _message(message, _content(message))}
    elif place == _MESSAGE_EVERY - 1 and message % _TOOL_EVERY == 0:
        found = {"type": "tool_result", "tool_use_id": f"toolu_{message}", "content": "a page of it " * 300}
        kind, line = "user", {"message": {"role": "user", "content": [found]}}
    elif place == _MESSAGE_EVERY - 1:
        stop = {"stop_reason": "end_turn", "stop_sequence": None}
        line = {"event": {"type": "message_delta", "delta": stop, "usage": _USAGE}}
    else:
        delta = {"type": "text_delta", "text": f"piece {number} of an answer that goes on and on and on, "}
        line = {"event": {"type": "content_block_delta", "index": 0, "delta": delta}}
    return msgspec.json.encode({"type": kind, **line, **_SESSION, **uuid}) + b"\n"


def _message(number: int, content: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "id": f"msg_{number:012d}",
        "type": "message",
        "role": "assistant",
        "model": "claude-sonnet-5",
        "content": content,
        "stop_reason": None,
        "stop_sequence": None,
        "usage": _USAGE,
    }


def _content(number: int) -> list[dict[str, Any]]:
    if number % _TOOL_EVERY == 0:
        return [
            {
                "type": "tool_use",
                "id": f"toolu_{number}",
                "name": "Read",
                "input": {"file_path": f"/{number}"},
            }
        ]
    return [{"type": "text", "text": "a finished paragraph of the answer " * 140}]


def _result() -> bytes:
    result = {
        "type": "result",
        "subtype": "success",
        "is_error": False,
        "duration_ms": 1000,
        "duration_api_ms": 900,
        "num_turns": 1,
        "result": "a finished paragraph of the answer",
        "total_cost_usd": 0.01,
        "usage": _USAGE,
        "modelUsage": {},
        "permission_denials": [],
        "uuid": "00000000-0000-4000-8000-ffffffffffff",
        "session_id": _SESSION["session_id"],
    }
    return msgspec.json.encode(result) + b"\n"
