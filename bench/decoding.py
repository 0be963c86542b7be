"""Events per second when a CLI prints as fast as a pipe carries: 400,000 lines of what an agent's long night looks like."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import msgspec

from .harness import Figure, Goal, Measure, compare, race
from .processes import PROGRAMS, PYTHON, claude_env, measure, oneseat_env, scratch

ROUNDS = 5
LINES = 400_000
#: Every 20th line is a finished message; the rest are pieces of one, as with partial messages switched on.
_MESSAGE_EVERY = 20
OURS, WHOLE, SDK = "provider", "app", "claude-agent-sdk query()"
#: Nothing listens there; the fake CLI needs no server.
_NOWHERE = "http://127.0.0.1:9"


def run() -> list[Figure]:
    """Count from the first line read to the last, inside the consuming process: neither start-up nor import is counted."""
    with scratch() as home:
        fake = write_fake_cli(home)
        ours = {**oneseat_env(home, _NOWHERE), "ONESEAT_CLAUDE_PATH": str(fake)}
        theirs = {**claude_env(home, _NOWHERE), "BENCH_CLAUDE": str(fake)}
        samples = race(
            {
                OURS: _events_per_s("oneseat_decode.py", ours, "provider"),
                WHOLE: _events_per_s("oneseat_decode.py", ours, "app"),
                SDK: _events_per_s("sdk_decode.py", theirs),
            },
            ROUNDS,
            warm_up=0,
        )
    goal = Goal(6, more_is_better=True)
    return [
        compare("events decoded, provider", "events/s", samples, OURS, SDK, goal=goal, more_is_better=True),
        compare(
            "events of a whole run, with its ledger", "events/s", samples, WHOLE, SDK, more_is_better=True
        ),
    ]


def _events_per_s(program: str, env: dict[str, str], *arguments: str) -> Measure:
    def take() -> float:
        done = measure([PYTHON, str(PROGRAMS / program), *arguments], env)
        report: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
        return LINES / report["wall_s"]

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
    if number % _MESSAGE_EVERY:
        delta = {"type": "text_delta", "text": f"piece {number} of an answer that goes on and on and on, "}
        event = {"type": "content_block_delta", "index": 0, "delta": delta}
        return msgspec.json.encode({"type": "stream_event", "event": event, **_SESSION, **uuid}) + b"\n"
    message = {
        "id": f"msg_{number:012d}",
        "type": "message",
        "role": "assistant",
        "model": "claude-sonnet-5",
        "content": [{"type": "text", "text": "a finished paragraph of the answer " * 140}],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": _USAGE,
    }
    return msgspec.json.encode({"type": "assistant", "message": message, **_SESSION, **uuid}) + b"\n"


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
