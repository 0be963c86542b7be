"""One run of `codex exec`, the fallback if the app-server does not start. It asks no questions and keeps no conversation."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import aclosing

import msgspec

from oneseat.contract.errors import ErrorInfo, OneseatError
from oneseat.contract.events import Batch, Question, Stderr, TurnEnded
from oneseat.contract.facts import CodexFacts, CodexLogin, CredentialSource, SessionInfo
from oneseat.contract.request import Permission, Request
from oneseat.contract.stations import Dispatch

from . import messages
from .exec_parse import ExecParser
from .launcher import Launcher
from .login import ADMINISTRATOR_FILES
from .parse import Setting
from .permissions import check_tools, permissions_of
from .process import CodexProcess

#: What the CLI prints on stderr when it waits for its prompt, and how often that is looked for, in seconds.
_ASKS = "Reading prompt from stdin"
_LOOK_S = 0.02


class Outside(msgspec.Struct, frozen=True, kw_only=True):
    """Facts from outside the process: the login, the ``withheld`` credential sources, the ``plan`` that the account was last
    seen on, and ``why`` there is no app-server.
    """

    login: CodexLogin
    withheld: tuple[CredentialSource, ...]
    plan: str | None
    why: ErrorInfo


class ExecSession:
    """Implements ``ProviderSession``: one run without a conversation. ``model`` is ``None`` for the CLI's default."""

    def __init__(
        self, launcher: Launcher, request: Request, model: str | None, setting: Setting, outside: Outside
    ) -> None:
        self._launcher = launcher
        self._request = request
        self._model = model
        self._setting = setting
        self._outside = outside
        self._why = outside.why
        self._process: CodexProcess | None = None
        self._ended = False
        self._allowed = permissions_of(request)
        self.info = SessionInfo()

    @property
    def process(self) -> CodexProcess | None:
        """The CLI's process; ``None`` before the start."""
        return self._process

    @property
    def turn_ended(self) -> bool:
        return self._ended

    async def credential_facts(self) -> CodexFacts:
        """The facts from the login file and the process. Starts the CLI, which then waits for its prompt."""
        self._process = self._launcher.launch_exec(
            self._request, self._model, self._allowed, self._setting.run_id, self._setting.redact
        )
        await _asked_for_prompt(self._process)
        seen = self._process.look()
        login = self._outside.login
        certain = login.kind == "file" and login.auth_mode == "chatgpt" and not login.has_key
        return CodexFacts(
            login=login,
            interface=f"exec, because the app-server did not start: {self._why.code}",
            auth_method="chatgpt" if certain and login.has_refresh_token else login.auth_mode,
            plan=self._outside.plan,
            refused=f"`codex exec` names none, and it was not seen in the last 30 days; {self._why.message}",
            withheld=self._outside.withheld,
            exposed=(*_administrators(), *seen.sources),
            simulated=self._launcher.simulated,
            child_checked=seen.readable,
            tampering=seen.tampering,
        )

    def overtaken(self) -> str | None:
        return self._opened().watch.changed()

    async def ready(self) -> bool:
        """Check the run's tools; always true. Raises ``OneseatError`` ``incomplete.tools_missing``."""
        check_tools(self._request, self._allowed)
        return True

    async def send(self, dispatch: Dispatch) -> AsyncIterator[Batch]:
        process, parser = self._opened(), ExecParser(self._setting, self._model, self._allowed.tools)
        parts = messages.turn_input(dispatch.request, dispatch.background)
        await process.child.write("\n\n".join(part["text"] for part in parts).encode())
        process.child.close_stdin()
        async with aclosing(process.child.batches()) as batches:
            async for lines in batches:
                for line in lines:
                    for event in parser.events(line if isinstance(line, bytes) else line.start):
                        self._ended = self._ended or isinstance(event, TurnEnded)
                        yield (event,)
                if self._ended:
                    return
        raise await process.channel.death("before it reported a result")

    def say(self, text: str) -> AsyncIterator[Batch]:  # noqa: ARG002 - the port's
        """Raise ``OneseatError``: `codex exec` has no further messages."""
        raise OneseatError(self._why)

    async def answer(self, question: Question, permission: Permission) -> None:
        """Do nothing: `codex exec` asks no questions."""

    def stderr(self) -> Stderr | None:
        return self._process.channel.stderr() if self._process is not None else None

    async def interrupt(self) -> None:
        if self._process is not None:
            self._process.child.signal(signal.SIGINT)

    def _opened(self) -> CodexProcess:
        if self._process is None:
            raise OneseatError(self._why)
        return self._process


async def _asked_for_prompt(process: CodexProcess) -> None:
    """Wait until the CLI reads its prompt. Earlier, the process may still be a launcher with a different environment."""
    while _ASKS not in process.child.stderr_tail().text:
        if process.child.exited:
            raise await process.channel.death("before it asked for a prompt")
        await asyncio.sleep(_LOOK_S)


def _administrators() -> tuple[CredentialSource, ...]:
    """The administrator's settings: the app-server would name what is in them, `exec` cannot be asked."""
    return tuple(
        CredentialSource(name=path.name, kind="mode", scope="managed_settings", place=str(path))
        for path in ADMINISTRATOR_FILES
        if path.exists()
    )


def can_do(request: Request) -> bool:
    """Whether `codex exec` can serve a request: one without a conversation, servers, a schema and images."""
    pictures = any(attached.media_type.startswith("image/") for attached in request.attachments)
    return not (request.project or request.session or request.mcp_servers or request.schema or pictures)
