"""One process of the official CLI, from the first control request to the end of its turn."""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

import msgspec

from oneseat.contract.errors import ErrorInfo, OneseatError, WhoseTurn
from oneseat.contract.events import Event, Question, TurnEnded
from oneseat.contract.facts import Capabilities, CredentialFacts, CredentialSource
from oneseat.contract.permission import Permission
from oneseat.contract.request import Plan, Request
from oneseat.host import credentials
from oneseat.host.child import Child
from oneseat.host.lines import OversizedLine
from oneseat.host.sighting import look_at

from . import account, discovery, failures, messages, wire
from .parse import Parser

#: The CLI's own instructions are 27 kB and speak of tools that the run does not have.
DEFAULT_SYSTEM = "Answer the request directly."
#: How long the CLI may take to exit after it closed its output, in seconds.
_EXIT_S = 2.0
#: How much of stderr an error message carries.
_STDERR_SHOWN = 2000


class Surroundings(msgspec.Struct, frozen=True):
    """What the gate compares the child with: the environment it was given, and what was kept from it."""

    run_id: str
    request: Request
    env: Mapping[str, str]
    kept: tuple[CredentialSource, ...]
    simulated: bool
    resumed: bool = False


class ClaudeSession:
    """Implements ``ProviderSession``. ``redact`` cleans whatever of the CLI's output enters an error."""

    def __init__(
        self,
        child: Child,
        executable: str,
        surroundings: Surroundings,
        parser: Parser,
        redact: Callable[[str], str],
    ) -> None:
        self._child = child
        self._executable = executable
        self._surroundings = surroundings
        self._parser = parser
        self._redact = redact
        self._batches = child.batches()
        self._lines: deque[wire.KnownLine | wire.Undecoded] = deque()
        self._early: list[Event] = []
        self._garbage = 0
        self._requests = 0
        self._ended = False
        self._cost_before: float | None = 0.0
        self.capabilities = Capabilities()

    @property
    def turn_ended(self) -> bool:
        """Whether the CLI has reported the end of its turn."""
        return self._ended

    async def credential_facts(self) -> CredentialFacts:
        """Ask the CLI who it would bill, and look at what really reached it. Sends nothing upstream.

        Raises ``OneseatError`` (``provider.*``) when the CLI dies, is too old, or prints what cannot be read.
        """
        request = self._surroundings.request
        # The instructions travel here and not on the command line, which other users can read.
        options: dict[str, Any] = {"systemPrompt": request.system or DEFAULT_SYSTEM}
        if request.schema is not None:
            options["jsonSchema"] = request.schema
        opened = await self._ask("initialize", **options)
        await self._learn_capabilities(opened)
        settings = await self._ask("get_settings")
        if self._surroundings.resumed:
            self._cost_before = _cost_so_far(await self._ask("get_usage"))
        around = self._surroundings
        # Only now: a script around the CLI can write these files after it was started and before the CLI reads them.
        reaching = credentials.reaching(around.env, around.request.cwd)
        pid = opened.get("pid")
        seen = look_at(self._child.pid, pid if isinstance(pid, int) else None, around.run_id, around.env)
        present = (*reaching, *account.settings_sources(settings), *seen.sources)
        reached = {(source.name, source.scope) for source in present}
        return CredentialFacts(
            account=account.account_of(opened),
            # A script that switches settings files on again undoes the keeping.
            kept=tuple(source for source in around.kept if (source.name, source.scope) not in reached),
            present=present,
            simulated=around.simulated,
            child_checked=seen.readable,
            strange=seen.strange,
        )

    async def send(self, plan: Plan) -> AsyncIterator[Event]:
        """Send the prompt and yield what comes, up to and including ``TurnEnded``."""
        for event in self._early:
            yield event
        async for event in self._turn(messages.user_message(plan.cleared.permitted.request)):
            yield event

    async def say(self, text: str) -> AsyncIterator[Event]:
        """Send a further message in the same conversation and yield what comes, up to and including ``TurnEnded``."""
        async for event in self._turn(messages.text_message(text)):
            yield event

    async def answer(self, question: Question, permission: Permission) -> None:
        """Answer a ``Question`` that this session yielded."""
        allowed = question.input if permission.allowed else None
        await self._write(messages.permission(question.id, allowed, permission.why))

    async def _turn(self, message: bytes) -> AsyncIterator[Event]:
        await self._write(message)
        self._ended = False
        while await self._more():
            while self._lines:
                line = self._lines.popleft()
                if isinstance(line, wire.ControlRequest) and line.request.subtype != "can_use_tool":
                    # What this version cannot answer is said to be so: left unanswered, the CLI would wait for ever.
                    await self._write(messages.unsupported(line.request_id, line.request.subtype))
                for event in self._parser.events(line):
                    if isinstance(event, TurnEnded):
                        self._ended = True
                        yield self._of_this_run(event)
                        return
                    yield event
        raise await self._death("before it reported a result")

    def _of_this_run(self, ended: TurnEnded) -> TurnEnded:
        # 2.1.329 goes on counting where the resumed conversation stopped: its earlier runs would be paid for again.
        before, now = self._cost_before, ended.list_cost_usd
        cost = None if before is None or now is None else round(now - before, 9)
        return msgspec.structs.replace(ended, list_cost_usd=cost)

    async def interrupt(self) -> None:
        """Ask the CLI to stop its turn. A CLI that is gone or does not read is past being asked."""
        await self._write(messages.control_request(self._next_id(), "interrupt"))

    async def close(self) -> None:
        """Stop reading."""
        await self._batches.aclose()

    async def _ask(self, subtype: str, **fields: Any) -> dict[str, Any]:
        request_id = self._next_id()
        await self._write(messages.control_request(request_id, subtype, **fields))
        while await self._more():
            line = self._lines.popleft()
            if isinstance(line, wire.ControlResponse) and line.response.request_id == request_id:
                if line.response.subtype == "success":
                    return line.response.response or {}
                raise self._error(
                    "garbled", f"The CLI refused the control request `{subtype}`: {line.response.error}"
                )
            if isinstance(line, wire.ResultLine) and any(map(failures.says_lost, line.errors)):
                raise self._lost()
            self._early.extend(self._parser.events(line))
        raise await self._death(f"before it answered `{subtype}`")

    async def _learn_capabilities(self, opened: dict[str, Any]) -> None:
        version = opened.get("claude_code_version")
        if not isinstance(version, str):
            # Older CLIs do not name themselves in this answer.
            version = await discovery.ask_version(self._executable, self._surroundings.env)
        self.capabilities = _capabilities(opened.get("models"), version)
        discovery.check_version(version)

    async def _write(self, data: bytes) -> None:
        # A CLI that reads no more is dead or dying. What it printed before that says more than a broken pipe, and is still to
        # be read; should it live on, the watchdog ends the wait.
        with contextlib.suppress(OSError):
            await self._child.write(data)

    async def _more(self) -> bool:
        """Wait until there is a line to take; false at the end of the output. Lines come many at a time, for speed."""
        while not self._lines:
            batch = await anext(self._batches, None)
            if batch is None:
                return False
            self._lines.extend(map(self._decode, batch))
        return True

    def _decode(self, line: bytes | OversizedLine) -> wire.KnownLine | wire.Undecoded:
        if isinstance(line, OversizedLine):
            why = f"line of {line.size} bytes, longer than 64 MiB; its start is kept"
            known: wire.KnownLine | wire.Undecoded = wire.Undecoded(line.start, why)
        else:
            known = wire.decode(line)
        self._garbage += isinstance(known, wire.Undecoded)
        return known

    async def _death(self, when: str) -> OneseatError:
        exited = await self._child.wait(_EXIT_S)
        stderr = self._child.stderr_tail().strip()
        if "unknown option" in stderr:
            return self._error(
                "too_old", f"The official CLI does not know an option that oneseat needs\n  {stderr}", "you"
            )
        if failures.says_lost(stderr):
            return self._lost()
        if not exited:
            return self._error(
                "output_closed", f"The official CLI closed its output {when} and went on running"
            )
        how = _how_it_ended(self._child.returncode)
        if self._garbage:
            return self._error(
                "garbled",
                f"The official CLI {how} {when}\n  lines of its output that could not be read: {self._garbage}",
            )
        return self._error(
            "crashed",
            f"The official CLI {how} {when}"
            + (f"\n  its last words: {stderr[-_STDERR_SHOWN:]}" if stderr else ""),
        )

    def _lost(self) -> OneseatError:
        lost = failures.SESSION_LOST
        return OneseatError(
            ErrorInfo(code=lost.code, message=lost.what, hint=lost.hint, whose_turn=lost.whose_turn)
        )

    def _error(self, word: str, message: str, whose_turn: WhoseTurn = "provider") -> OneseatError:
        hint = "Check the installation: `oneseat doctor`"
        return OneseatError(
            ErrorInfo(
                code=f"provider.{word}", message=self._redact(message), hint=hint, whose_turn=whose_turn
            )
        )

    def _next_id(self) -> str:
        self._requests += 1
        return f"oneseat-{self._requests}"


def _cost_so_far(usage: dict[str, Any]) -> float | None:
    """What the conversation had cost, at list price in US dollars, before this run."""
    session = usage.get("session")
    cost = session.get("total_cost_usd") if isinstance(session, dict) else None
    return float(cost) if isinstance(cost, int | float) else None


def _how_it_ended(returncode: int | None) -> str:
    if returncode is not None and returncode < 0:
        return f"was ended by signal {-returncode}"
    return f"ended with exit code {returncode}"


def _capabilities(models: object, version: str | None) -> Capabilities:
    entries = [model for model in models if isinstance(model, dict)] if isinstance(models, list) else []
    resolved = {model.get("value"): model.get("resolvedModel") for model in entries}
    # A name the CLI does not know is listed as resolving to itself; a full name does so too, and is fine.
    unresolved = tuple(
        str(name) for name, model in resolved.items() if name == model and not str(name).startswith("claude-")
    )
    offered = tuple(str(name) for name in resolved if name and name not in unresolved)
    return Capabilities(models=offered, unresolved=unresolved, cli_version=version)
