"""A fake official CLI: reports a login, then prints a recorded stream as fast as the pipe takes it."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any


def answer(request_id: str, response: dict[str, Any]) -> None:
    """Answer one control request."""
    body = {"subtype": "success", "request_id": request_id, "response": response}
    os.write(1, json.dumps({"type": "control_response", "response": body}).encode() + b"\n")


def pour(stream: Path) -> None:
    """Send the whole stream from the page cache to stdout, without copying it through this process."""
    with stream.open("rb") as file:
        left, offset = stream.stat().st_size, 0
        while left:
            sent = os.sendfile(1, file.fileno(), offset, left)
            left, offset = left - sent, offset + sent


def main(stream: Path, arguments: list[str]) -> None:
    """Act as the CLI until stdin closes."""
    if "--version" in arguments or "-v" in arguments:
        sys.stdout.write("2.1.329 (Claude Code)\n")
        return
    account = {"tokenSource": "CLAUDE_CODE_OAUTH_TOKEN", "apiProvider": "firstParty"}
    opened = {"commands": [], "agents": [], "models": [], "account": account, "pid": os.getpid()}
    known: dict[str, dict[str, Any]] = {
        "initialize": opened,
        "get_settings": {"effective": {}, "sources": []},
    }
    for line in sys.stdin:
        message = json.loads(line)
        if message.get("type") == "control_request":
            answer(message["request_id"], known.get(message["request"]["subtype"], {}))
        elif message.get("type") == "user":
            pour(stream)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
