"""`oneseat run` on a running server without the command-line parser, which takes as long to load as such a run.

It handles common command lines only and leaves everything else, including all error messages, to the parser. A test checks
that the parser reads these command lines in the same way.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from typing import Any, NamedTuple

from oneseat.app.client import quick_folder
from oneseat.cli.output import Output, OutputFormat

#: The largest prompt that the official CLI accepts, in bytes.
_MAX_BYTES = 10_000_000
_FLAGS = {"--json": "json", "--stream-json": "stream-json", "-q": "quiet", "--quiet": "quiet"}
_TEXTS = {
    "-s": "system",
    "--system": "system",
    "-m": "model",
    "--model": "model",
    "--fallback-model": "fallback_model",
}


class Plain(NamedTuple):
    """A common command line. If ``prompt`` is ``None``, it is read from standard input."""

    prompt: str | None
    output: Output
    options: dict[str, str]


def try_run(arguments: Sequence[str]) -> int | None:
    """Do ``oneseat run`` with these arguments on a running server; ``None`` when the parser has to handle them."""
    folder = quick_folder(os.environ)
    if folder is None or not os.path.exists(folder):
        return None
    plain = read_plain(arguments)
    if plain is None:
        return None
    try:
        cwd = os.getcwd()
    except OSError:
        return None
    request = _request(plain, cwd)
    if request is None:
        return None
    from oneseat.cli.terminal.remote_run import run_remotely  # noqa: PLC0415 - without a server's folder nothing of it is needed

    return run_remotely(request, cwd, plain.output, folder)


def read_plain(arguments: Sequence[str]) -> Plain | None:
    """Parse these arguments; ``None`` when the parser has to handle them."""
    prompts: list[str] = []
    flags: set[str] = set()
    options: dict[str, str] = {}
    rest = iter(arguments)
    for argument in rest:
        if argument in _FLAGS:
            flags.add(_FLAGS[argument])
        elif argument in _TEXTS:
            value = next(rest, None)
            if value is None or value.startswith("-"):
                return None
            options[_TEXTS[argument]] = value
        elif argument != "-" and argument.startswith("-"):
            return None
        else:
            prompts.append(argument)
    forms: list[OutputFormat] = [form for form in ("json", "stream-json") if form in flags]
    if len(prompts) > 1 or len(forms) > 1:
        return None
    prompt = prompts[0] if prompts and prompts[0] != "-" else None
    if not prompts and sys.stdin.isatty():
        return None
    return Plain(prompt, Output(forms[0] if forms else "text", "quiet" in flags), options)


def _request(plain: Plain, cwd: str) -> bytes | None:
    prompt = _stdin() if plain.prompt is None else _with_input(plain.prompt)
    if prompt is None:
        return None
    fields: dict[str, Any] = {"prompt": prompt, "cwd": cwd, **plain.options}
    # Errors in any of them are reported by the parser.
    names = (fields[name] for name in ("model", "fallback_model") if name in fields)
    if not all(map(_is_plain, fields.values())) or not all(name.isprintable() for name in names):
        return None
    if sys.stderr.isatty():
        fields |= {"over_limit": True, "entry": {"attended": True}}
    return json.dumps(fields, ensure_ascii=False).encode()


def _stdin() -> str | None:
    from oneseat.cli.output import read_stdin  # noqa: PLC0415 - most prompts are an argument

    try:
        return read_stdin(_MAX_BYTES + 1).decode("utf-8-sig")
    except UnicodeDecodeError:
        return None


def _with_input(prompt: str) -> str | None:
    """``prompt``, followed by the text on standard input, if any."""
    from oneseat.cli.output import read_beside_prompt  # noqa: PLC0415 - as above

    try:
        data = read_beside_prompt(_MAX_BYTES + 1)
        return f"{prompt}\n\n{data.decode('utf-8-sig')}" if data else prompt
    except UnicodeDecodeError:
        return None


def _is_plain(text: str) -> bool:
    try:
        return bool(text.strip()) and len(text.encode()) <= _MAX_BYTES
    except UnicodeEncodeError:
        return False
