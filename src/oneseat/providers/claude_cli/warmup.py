"""Warms up an idle CLI with prompts that a hook blocks before they are sent.

The first prompts of a process take 2.1.329 tens of milliseconds longer than later ones, however long it has idled. A warm-up
does the work that is done once per process, or gets faster with use: a hook of the CLI blocks each prompt before anything leaves,
and the CLI confirms that its conversation is empty again. What a run then sends is, byte for byte, what a fresh process
would send.
"""

from __future__ import annotations

import asyncio
import uuid
from typing import TYPE_CHECKING

from oneseat.contract.errors import ErrorInfo, OneseatError

from . import discovery, messages, wire
from .preflight import Prefetch, Preflight, run_preflight

if TYPE_CHECKING:
    from .process import CliProcess

#: Timeout of the hook in seconds, a day: should oneseat be stopped before it answers, an expired hook would let the prompt go.
_BLOCK_PROMPTS = {"UserPromptSubmit": [{"hookCallbackIds": ["block"], "timeout": 86_400}]}
_PROMPT = "hello"
#: A run's prompt takes 64 ms to its first text after one warm-up prompt, 57 ms after three, and no less after twelve (measured).
_PROMPTS = 3
#: How long the whole warm-up may take, in seconds.
_TIMEOUT_S = 20.0


def can_warm_up(process: CliProcess) -> bool:
    """Whether this version is known to block a prompt when a hook says so. An untested one may not."""
    version = discovery.parse_version(process.version or "")
    return version is not None and discovery.OLDEST <= version <= discovery.NEWEST


async def warm_up(process: CliProcess, prefetch: Prefetch) -> Preflight:
    """Open a process with its ``prompt_config``, warm it up unless a run already waits for it, and run the preflight.

    Sends nothing upstream. Raises ``OneseatError`` when anything unexpected happens; the process is killed then.
    """
    system = process.prompt_config.system if process.prompt_config is not None else None
    try:
        async with asyncio.timeout(_TIMEOUT_S):
            await process.channel.ask("initialize", _ignore, systemPrompt=system, hooks=_BLOCK_PROMPTS)
            if not prefetch.wanted:
                for _ in range(_PROMPTS):
                    await _send_blocked_prompt(process)
            # New hooks replace the earlier ones (measured): the run's prompt is not blocked.
            return await run_preflight(process, _ignore, hooks={})
    except BaseException as error:  # on cancellation too: a prompt that no hook blocks would be paid for
        process.child.kill()
        if isinstance(error, TimeoutError):
            raise _failed("did not answer in time") from None
        raise


async def _send_blocked_prompt(process: CliProcess) -> None:
    channel = process.channel
    process.first_message = str(uuid.uuid4())
    await channel.write(messages.text_message(_PROMPT, process.first_message))
    blocked = False
    while await channel.more():
        line = channel.lines.popleft()
        if isinstance(line, wire.ControlRequest):
            blocked = line.request.subtype == "hook_callback"
            await channel.write(messages.block_prompt(line.request_id))
        elif isinstance(line, wire.ResultLine):
            break
    else:
        raise await channel.death("before it blocked a prompt")
    if not blocked or not await process.go_back():
        raise _failed("did not block a prompt")


def _ignore(_: object) -> None:
    """Lines that come before a run belong to no run."""


def _failed(what: str) -> OneseatError:
    return OneseatError(
        ErrorInfo(
            code="provider.garbled",
            message=f"The official CLI {what} during the warm-up",
            hint="Check the installation: `oneseat doctor`",
            whose_turn="provider",
        )
    )
