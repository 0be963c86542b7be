"""Has a process that waits take prompts that it may not send, and forget them: the next one, a run's, costs it half the time.

The first prompts of a process take 2.1.329 tens of milliseconds longer than later ones, whatever it has waited. What is
done once per process, and what gets faster with use, is done here: a hook of the CLI's own holds a prompt back before
anything of it leaves, and the CLI says that nothing is left of it. What a run then sends is, byte for byte, what a fresh
process would send.
"""

from __future__ import annotations

import asyncio
import uuid
from typing import TYPE_CHECKING

from oneseat.contract.errors import ErrorInfo, OneseatError

from . import discovery, messages, wire
from .inquiry import Ahead, Inquiry, inquire

if TYPE_CHECKING:
    from .process import CliProcess

#: The first version that rewinds. Of one that is not tested nobody knows whether it holds a prompt back.
_SINCE = (2, 1, 329)
#: Held for a day, in seconds, should oneseat be stopped before it answers.
_HOLDING = {"UserPromptSubmit": [{"hookCallbackIds": ["hold"], "timeout": 86_400}]}
_PROMPT = "hello"
#: After the first, a run's prompt takes 64 ms to its first text, after the third 57 (measured), and after twelve no less.
_TIMES = 3
#: How long all of it may take, in seconds. A hook that is not answered in time would let the prompt go.
_PATIENCE_S = 20.0


def can_be_exercised(process: CliProcess) -> bool:
    """Whether it is known of this program that it holds a prompt back when it is told to."""
    version = discovery.parse_version(process.version or "")
    return version is not None and _SINCE <= version <= discovery.NEWEST


async def opened(process: CliProcess, ahead: Ahead) -> Inquiry:
    """Open a process for its ``special``, exercise it unless a run waits for it, and ask it who pays. Sends nothing upstream.

    Raises ``OneseatError`` when anything goes otherwise than it should; the process is killed then.
    """
    system = process.special.system if process.special is not None else None
    try:
        async with asyncio.timeout(_PATIENCE_S):
            await process.channel.ask("initialize", _ignore, systemPrompt=system, hooks=_HOLDING)
            if not ahead.wanted:
                for _ in range(_TIMES):
                    await _exercise(process)
            # Given anew, hooks replace those before (measured): a run's prompt is asked about no more.
            return await inquire(process, _ignore, hooks={})
    except BaseException as error:  # a cancellation too: a prompt that nobody holds back would be paid for
        process.child.kill()
        if isinstance(error, TimeoutError):
            raise _otherwise("did not answer in time") from None
        raise


async def _exercise(process: CliProcess) -> None:
    channel = process.channel
    process.first_message = str(uuid.uuid4())
    await channel.write(messages.text_message(_PROMPT, process.first_message))
    held = False
    while await channel.more():
        line = channel.lines.popleft()
        if isinstance(line, wire.ControlRequest):
            held = line.request.subtype == "hook_callback"
            await channel.write(messages.held_back(line.request_id))
        elif isinstance(line, wire.ResultLine):
            break
    else:
        raise await channel.death("before it blocked a prompt")
    if not held or not await process.go_back():
        raise _otherwise("did not block a prompt")


def _ignore(_: object) -> None:
    """Nothing that comes before a run belongs to one."""


def _otherwise(what: str) -> OneseatError:
    return OneseatError(
        ErrorInfo(
            code="provider.garbled",
            message=f"The official CLI {what} while it was warmed up",
            hint="Check the installation: `oneseat doctor`",
            whose_turn="provider",
        )
    )
