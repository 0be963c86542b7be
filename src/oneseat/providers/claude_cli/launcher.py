"""Starts the official CLI: its executable, its private folder, its environment and its command line."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec

from oneseat.contract.facts import LoginFacts
from oneseat.contract.receipt import SessionStamp
from oneseat.contract.request import FUNCTIONS, MCP_PREFIX, McpServer, Request, Tools
from oneseat.contract.simulated import Simulator
from oneseat.host.paths import create_folder
from oneseat.host.processes.registry import ProcessRegistry
from oneseat.providers.cli_common.hiding import hiding
from oneseat.providers.cli_common.process import empty_folder, kept_marker, private_folder, starting

from . import credentials, discovery, environment
from .argv import Offered, bounds, command_line
from .mcp import write_config
from .process import ClaudeStart, CliProcess, VersionCache


class ClaudeCliConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Everything the provider needs to know. ``environ`` is a snapshot of the caller's environment, never changed.

    ``after_result_s`` is how long the CLI may stay after its result, in seconds (background work ends then). ``asks_usage``
    lets it ask its vendor how full the plan's windows are.
    """

    environ: Mapping[str, str]
    executable: str | None = None
    default_model: str = "sonnet"
    pass_environment: tuple[str, ...] = ()
    max_retries: int = 2
    after_result_s: float = 10.0
    mcp: environment.McpPatience = environment.McpPatience()
    simulator: Simulator | None = None
    asks_usage: bool = False


class ProcessSpec(msgspec.Struct, frozen=True):
    """What a process cannot change once it runs. Without a ``cwd`` it works in an empty folder of its own.

    The CLI counts a ``max_budget_usd`` over the whole life of the process, so one that has it serves a single run.
    """

    tools: Tools
    cwd: str | None
    mcp_servers: tuple[McpServer, ...] = ()
    functions: bool = False
    max_turns: int | None = None
    max_budget_usd: float | None = None

    @property
    def acts(self) -> bool:
        """Whether such a process can act on this machine."""
        return bool(self.tools.names or self.mcp_servers)

    @classmethod
    def of(cls, request: Request) -> ProcessSpec:
        """The spec of a process that can serve this request, and others like it."""
        return cls(request.tools, request.cwd, request.mcp_servers, bool(request.functions))

    @classmethod
    def bounded(cls, request: Request) -> ProcessSpec:
        """The spec of a process that serves this request alone, with its bounds."""
        turns, usd = request.max_turns, request.max_budget_usd
        return msgspec.structs.replace(cls.of(request), max_turns=turns, max_budget_usd=usd)


class Launcher:
    """Starts processes of the CLI that ``config`` describes. ``redact`` cleans what of their output enters an error."""

    def __init__(self, config: ClaudeCliConfig, redact: Callable[[str], str], kept: ProcessRegistry) -> None:
        self._config = config
        self._kept = kept
        self._redact = redact
        self._known = VersionCache()

    def launch(
        self, spec: ProcessSpec, model: str, marker: str, session: SessionStamp | None = None
    ) -> CliProcess:
        """Start one. With a ``session`` it begins or resumes that conversation, without one it keeps no transcript.

        Raises ``OneseatError``: ``provider.not_found`` or ``provider.cannot_start``.
        """
        executable = self.executable()
        with starting(executable), private_folder(marker, self._kept) as private:
            cwd = spec.cwd or empty_folder(private)
            env = self._environment(private, self.kept_config(cwd) if session else None)
            argv = command_line(executable, model, spec.tools, session, _offered(private, spec))
            redact = hiding(spec.mcp_servers, self._redact)
            argv += bounds(spec.max_turns, spec.max_budget_usd, session)
            start = ClaudeStart(argv, env, cwd, marker, model)
            return CliProcess.start(start, private, redact, self._known)

    def launch_kept(self, spec: ProcessSpec, model: str, session: SessionStamp | None = None) -> CliProcess:
        """Start one that outlives a run, with a marker of its own; see ``end_kept``. Raises like ``launch``."""
        with kept_marker(self._kept) as marker:
            return self.launch(spec, model, marker, session)

    async def end_kept(self, process: CliProcess, patience_s: float) -> None:
        """End such a process and all that it started."""
        await process.end_kept(patience_s, self._kept)

    def forget(self, process: CliProcess) -> None:
        """A process that outlived its run has ended otherwise."""
        self._kept.release(process.marker)

    def executable(self) -> str:
        """The program that would be started now. Raises ``OneseatError`` ``provider.not_found`` or ``provider.cannot_start``."""
        return discovery.find_executable(self._config.executable, self._config.environ.get("PATH"))

    def kept_config(self, cwd: str) -> Path:
        """The CLI's own folder, in which conversations outlive a run. Simulated ones stay apart from the real ones."""
        simulator = self._config.simulator
        if simulator is None:
            return credentials.ClaudePaths.find(self._config.environ, cwd).config_dir
        return Path(simulator.folder, simulator.login)

    def login(self, cwd: str) -> LoginFacts:
        """What is known of the login that a process in ``cwd`` would use."""
        simulator = self._config.simulator
        if simulator is None:
            return credentials.login_facts(self._config.environ, self.kept_config(cwd))
        if simulator.login != "file":
            return LoginFacts(kind=simulator.login, place=simulator.url)
        return credentials.login_facts({}, self.kept_config(cwd))

    def _environment(self, private: Path, kept: Path | None) -> dict[str, str]:
        simulator = self._config.simulator
        simulated = None
        if simulator is not None:
            config_dir, home = kept or private / "config", private / "home"
            create_folder(config_dir)
            home.mkdir(mode=0o700)
            if simulator.login == "file":
                with contextlib.suppress(FileExistsError):  # an earlier run of the session wrote the same
                    credentials.write_simulated_login(config_dir, simulator.token)
            simulated = environment.Simulated(
                base_url=simulator.url,
                config_dir=str(config_dir),
                home=str(home),
                token=simulator.token if simulator.login == "token" else None,
            )
        return environment.child_environment(
            self._config.environ,
            pass_names=self._config.pass_environment,
            temp_dir=str(private),
            max_retries=self._config.max_retries,
            simulated=simulated,
            mcp=self._config.mcp,
            asks_usage=self._config.asks_usage,
        )


def _offered(private: Path, spec: ProcessSpec) -> Offered | None:
    config = write_config(private, spec.mcp_servers, functions=spec.functions)
    if config is None:
        return None
    own = (f"{MCP_PREFIX}{FUNCTIONS}",) if spec.functions else ()
    return Offered(config, (*spec.tools.of_servers, *own))
