"""A small MCP server over stdio, in the standard library alone, that behaves as its argument says.

`ok`, `dies`, `slow` (five seconds), `stubborn` (leaves its parent's session, drops the run's marker from its environment, ignores
signals and the end of its input, and starts a child that does so too), `hung` (the same, and never answers).
"""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
from typing import Any

MARKER = "ONESEAT_RUN_ID"
TOOLS = ("echo", "secret", "crash", "hang")


def become_stubborn() -> None:
    if MARKER in os.environ:
        rest = {name: value for name, value in os.environ.items() if name != MARKER}
        os.execve(sys.executable, [sys.executable, *sys.argv], rest)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    # Whoever leads a group already cannot leave its session.
    if os.getpid() not in {os.getsid(0), os.getpgrp()}:
        os.setsid()
    if sys.argv[1] != "child":
        subprocess.Popen([sys.executable, sys.argv[0], "child"], stdin=subprocess.DEVNULL)


def result_of(message: dict[str, Any]) -> dict[str, Any]:
    method, params = message["method"], message.get("params", {})
    if method == "initialize":
        return {
            "protocolVersion": params["protocolVersion"],
            "capabilities": {"tools": {}},
            "serverInfo": {"name": "tiny", "version": "1"},
        }
    if method == "tools/list":
        schema = {"type": "object", "properties": {"text": {"type": "string"}}}
        return {
            "tools": [{"name": name, "description": f"{name} it", "inputSchema": schema} for name in TOOLS]
        }
    if method == "tools/call":
        return {"content": [{"type": "text", "text": call(params["name"], params.get("arguments", {}))}]}
    return {}


def call(name: str, arguments: dict[str, Any]) -> str:
    if name == "crash":
        os._exit(9)
    if name == "hang":
        wait_for_ever()
    if name == "secret":
        return f"the password is {os.environ.get('PASSWORD')}"
    return f"echo {arguments.get('text')} {sys.argv[2:]}"


def wait_for_ever() -> None:
    # Ten minutes: a failing test leaves nothing behind for longer.
    select.select([], [], [], 600)
    os._exit(0)


def main() -> None:
    mode = sys.argv[1]
    if mode == "dies":
        sys.stderr.write(f"no database for {os.environ.get('PASSWORD')}\n")
        sys.exit(3)
    if mode == "slow":
        select.select([], [], [], 5)
    if mode in {"stubborn", "hung", "child"}:
        become_stubborn()
    if mode in {"hung", "child"}:
        wait_for_ever()
    for line in sys.stdin:
        message = json.loads(line)
        if "id" in message:
            answer = {"jsonrpc": "2.0", "id": message["id"], "result": result_of(message)}
            sys.stdout.write(json.dumps(answer) + "\n")
            sys.stdout.flush()
    if mode == "stubborn":
        wait_for_ever()


main()
