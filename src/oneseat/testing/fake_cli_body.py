"""The program inside a fake `claude`. ``write_fake_cli`` copies it into the executable: standard library only.

Its bytecode is not cached and tests start it thousands of times, so rarely used modules are imported where they are used.
"""

from __future__ import annotations

import json
import os
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from typing import Any
else:
    import _signal as signal  # faster to load: without the enumerations, as in oneseat itself

#: The longest lifetime of a fake, in seconds, if a test does not end it.
_FOREVER_S = 600
_SESSION = "5e551000-0000-4000-8000-000000000000"


def _write(data: bytes) -> None:
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


def _line(message: dict[str, Any]) -> bytes:
    return json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def _emit(message: dict[str, Any]) -> None:
    _write(_line(message))


def _note(fact: dict[str, Any]) -> None:
    """Append one line to the log beside the executable, in one write, so that parallel fakes never mix their lines."""
    journal = os.open(f"{os.path.realpath(__file__)}.journal", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(journal, json.dumps(fact).encode() + b"\n")
    os.close(journal)


def _model() -> str:
    """The full name of the model that was asked for."""
    asked = sys.argv[sys.argv.index("--model") + 1] if "--model" in sys.argv else "sonnet"
    return asked if asked.startswith("claude-") else f"claude-{asked}-fake"


def _assistant(text: str) -> dict[str, Any]:
    usage = {
        "input_tokens": 10,
        "output_tokens": 1,
        "cache_read_input_tokens": 0,
        "cache_creation_input_tokens": 0,
    }
    message = {
        "id": "msg_fake_0001",
        "type": "message",
        "role": "assistant",
        "model": _model(),
        "content": [{"type": "text", "text": text}],
        "stop_reason": None,
        "usage": usage,
    }
    return {"type": "assistant", "message": message, "parent_tool_use_id": None, "session_id": _SESSION}


class _Fake:
    def __init__(self, behaviour: dict[str, Any]) -> None:
        self._behaviour = behaviour
        self._request_id = ""

    def run(self) -> None:
        self._play("on_start")
        while line := sys.stdin.buffer.readline():
            message = json.loads(line)
            if message.get("type") == "user":
                self._play("on_user")
            elif message.get("type") == "control_request":
                self._control(message)
        self._play("on_stdin_closed")

    def _control(self, message: dict[str, Any]) -> None:
        self._request_id = message["request_id"]
        subtype = message["request"]["subtype"]
        if subtype == "initialize":
            self._play("on_initialize")
        else:
            self._respond(self._behaviour["answers"].get(subtype, {}))

    def _respond(self, response: dict[str, Any]) -> None:
        answer = {"subtype": "success", "request_id": self._request_id, "response": response}
        _emit({"type": "control_response", "response": answer})

    def _play(self, moment: str) -> None:
        for step in self._behaviour[moment]:
            fields = {name: value for name, value in step.items() if name != "do"}
            getattr(self, f"_do_{step['do']}")(**fields)

    def _do_initialized(self, account: dict[str, Any]) -> None:
        models = [{"value": model, "displayName": model} for model in ("default", "opus", "haiku", "sonnet")]
        self._respond(
            {
                "commands": [],
                "agents": [],
                "models": models,
                "output_style": "default",
                "account": account,
                "pid": os.getpid(),
            }
        )

    def _do_say(self, text: str) -> None:
        directory = os.getcwd()  # noqa: PTH109 - see above
        _emit({"type": "system", "subtype": "init", "cwd": directory, "session_id": _SESSION, "tools": [],
               "mcp_servers": [], "model": _model(), "apiKeySource": "none"})  # fmt: skip
        _emit(_assistant(text))

    def _do_result(self, text: str) -> None:
        usage = {
            "input_tokens": 10,
            "output_tokens": 1,
            "cache_read_input_tokens": 0,
            "cache_creation_input_tokens": 0,
        }
        _emit({"type": "result", "subtype": "success", "is_error": False, "api_error_status": None, "duration_ms": 1,
               "num_turns": 1, "result": text, "stop_reason": "end_turn", "session_id": _SESSION,
               "total_cost_usd": 0.0001, "usage": usage, "modelUsage": {}, "permission_denials": [],
               "terminal_reason": "completed"})  # fmt: skip

    def _do_long_line(self, mib: int) -> None:
        _emit(_assistant("x" * (mib * 1024 * 1024 - len(_line(_assistant(""))))))

    def _do_print(self, text: str) -> None:
        _write(text.encode())

    def _do_replay(self, path: str) -> None:
        with open(path, "rb") as recording:  # noqa: PTH123 - see above
            _write(recording.read())

    def _do_complain(self, text: str) -> None:
        sys.stderr.write(text)
        sys.stderr.flush()

    def _do_exit(self, code: int) -> None:
        os._exit(code)

    def _do_wait(self, until: str) -> None:
        if until == "stdin_closed":
            while sys.stdin.buffer.read(65536):
                pass
            os._exit(0)
        deadline = time.monotonic() + _FOREVER_S
        while time.monotonic() < deadline:
            time.sleep(_FOREVER_S)

    def _do_transcribe(self, times: int, pause_s: float, *, subagent: bool) -> None:
        from pathlib import Path  # noqa: PLC0415 - few fakes need it

        option = "--resume" if "--resume" in sys.argv else "--session-id"
        session = sys.argv[sys.argv.index(option) + 1]
        folder = Path(os.environ["CLAUDE_CONFIG_DIR"], "projects", "fake")
        path = folder / session / "subagents" / "agent-1.jsonl" if subagent else folder / f"{session}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        for _ in range(times):
            with path.open("ab") as transcript:
                transcript.write(_line(_assistant("still at it")))
            time.sleep(pause_s)

    def _do_close_stdout(self) -> None:
        os.close(sys.stdout.fileno())

    def _do_ignore_signals(self) -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)

    def _do_grandchild(self, *, holds_output: bool) -> None:
        import subprocess  # noqa: PLC0415 - few fakes need it

        sleeper = f"import time; time.sleep({_FOREVER_S})"
        child = subprocess.Popen(
            [sys.executable, "-IS", "-c", sleeper],
            stdin=subprocess.DEVNULL,
            stdout=None if holds_output else subprocess.DEVNULL,
            stderr=None if holds_output else subprocess.DEVNULL,
            start_new_session=True,
        )
        _note({"grandchild": child.pid})


def main(behaviour_json: str) -> None:
    """Act as the CLI that ``behaviour_json`` describes."""
    behaviour = json.loads(behaviour_json)
    if "--version" in sys.argv[1:]:
        _write(f"{behaviour['version']} (Claude Code)\n".encode())
        return
    # When interrupted, the real CLI prints nothing; Python would print a traceback.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    _note({"pid": os.getpid(), "argv": sys.argv[1:], "environment": sorted(os.environ)})
    _Fake(behaviour).run()
