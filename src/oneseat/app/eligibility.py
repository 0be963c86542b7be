"""Whether a run of another process may be done here: only where it would be the same run there.

A child gets its parent's environment (as far as the allow-list goes), the settings in force in its directory and the official
CLI they name. Where any of that differs, the caller does its run itself. Values of variables are compared by keyed hashes;
the names that could change who pays come as names, because the receipt has to tell them whoever does the run.
"""

from __future__ import annotations

import asyncio
import os
import secrets
from hmac import compare_digest

import msgspec

from oneseat.compat.installed import InstalledCliProbe, refusal
from oneseat.contract.billing_names import BILLING_NAMES
from oneseat.contract.errors import OneseatError
from oneseat.contract.facts import CredentialSource
from oneseat.contract.keys import ApiKey
from oneseat.contract.protocol import Call, CallerContext, Hello, Watched
from oneseat.contract.request import Request
from oneseat.contract.routing import RouteTable
from oneseat.host.environment import RUNNER_VARIABLES, current_umask
from oneseat.host.variable_hashes import hashes
from oneseat.installation import Installation
from oneseat.providers.claude_cli.environment import shared_names
from oneseat.providers.cli_common.environment_scan import scan_environment
from oneseat.settings import Settings, differences
from oneseat.version import __version__

__all__ = ["RunEligibility", "decode_request"]

#: Of these, every one is part of the circumstances: the child's language, and what oneseat itself goes by.
_PREFIXES = ("LC_", "ONESEAT_")
_NONCE_BYTES = 16


class RunEligibility:
    """What holds for every run of this process. Making it raises ``UsageError`` for settings that cannot be used.

    ``here`` is without the settings of a project, which apply only inside its directory.
    """

    def __init__(self, here: Installation) -> None:
        self._here = here
        self.settings: Settings = self._here.settings
        self._tables = _tables(self._here)
        # A key that is in a variable is the caller's own.
        of_keys = {key.env for key in self._here.keys.values() if key.env is not None}
        passed = (*self.settings.claude_pass_environment, *self.settings.codex_pass_environment)
        names = {*shared_names(passed), *_LOGIN, *of_keys, *RUNNER_VARIABLES}
        self._compared = Watched(names=tuple(sorted(names)), prefixes=_PREFIXES)
        self._umask = current_umask()

    def hello(self) -> Hello:
        """The first line to a client, with a nonce of its own."""
        return Hello(
            version=__version__,
            pid=os.getpid(),
            nonce=secrets.token_hex(_NONCE_BYTES),
            compared=self._compared,
            named=_NAMED,
        )

    async def objection(self, call: Call, request: Request, nonce: str) -> str | None:
        """Why this run is for the caller to do; ``None`` when it may be done here."""
        if call.version != __version__:
            return f"the command is oneseat {call.version}, the server {__version__}"
        differing = self._differing_variables(call.around, nonce)
        if differing:
            return f"variables differ from the server's: {', '.join(differing)}"
        if call.around.umask != self._umask:
            return f"the umask {call.around.umask:03o} is not the server's {self._umask:03o}"
        if self.settings.log_level is not None and self.settings.log_file is None:
            return "the log goes to the command's stderr"
        return await asyncio.to_thread(self._look, call.around, request.cwd) or await self._cli(request.cwd)

    def sources(self, around: CallerContext) -> tuple[CredentialSource, ...]:
        """What the caller's environment holds that could change who pays."""
        return tuple(
            source for names in BILLING_NAMES.values() for source in scan_environment(around.named, names)
        )

    def _differing_variables(self, around: CallerContext, nonce: str) -> list[str]:
        ours = hashes(self._here.env, msgspec.to_builtins(self._compared), nonce)
        return sorted(
            name
            for name in ours.keys() | around.compared.keys()
            if not compare_digest(ours.get(name, "").encode(), around.compared.get(name, "").encode())
        )

    def _look(self, around: CallerContext, cwd: str) -> str | None:
        try:
            found = os.stat(cwd)  # noqa: PTH116 - a text that came from outside need not be a path
        except (OSError, ValueError):
            return "the server cannot access the run's directory"
        if (found.st_dev, found.st_ino) != around.directory:
            return "the run's path is a different directory for the server, as in a container"
        return None

    async def _cli(self, cwd: str) -> str | None:
        """Why the settings or the CLI in force there are not those of this process, or not yet known to be good."""
        try:
            there = Installation(self._here.env, cwd)
            probe = await asyncio.to_thread(InstalledCliProbe, there)
            differing = differences(self.settings, there.settings)
            if differing:
                return f"settings differ from those the server started with: {', '.join(differing)}"
            if _tables(there) != self._tables:
                return "settings differ from those the server started with: keys or roles"
            cli = await probe.look()
        except (OneseatError, OSError):
            return "the settings or the official CLI failed to load; the command reports why"
        if probe.automatic and cli.untested and (cli.report is None or refusal(cli.report) is not None):
            return f"the official CLI {cli.version} has not been checked with oneseat yet"
        return None


def _tables(here: Installation) -> tuple[dict[str, ApiKey], RouteTable]:
    return here.keys, here.routes


_VARIABLES = [entry for table in BILLING_NAMES.values() for entry in table.variables]
_LOGIN = frozenset().union(*(table.login for table in BILLING_NAMES.values()))
_NAMED = Watched(
    names=tuple(
        entry.name for entry in _VARIABLES if entry.pays and not entry.prefix and entry.name not in _LOGIN
    ),
    prefixes=tuple(entry.name for entry in _VARIABLES if entry.pays and entry.prefix),
)


def decode_request(raw: msgspec.Raw) -> Request:
    """The request of a call. Raises ``msgspec.MsgspecError`` for what is none."""
    return msgspec.json.decode(raw, type=Request)
