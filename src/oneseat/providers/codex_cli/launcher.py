"""Starts the app-server: its executable, its private folder, its environment and its settings."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec

from oneseat.contract.errors import ErrorInfo, OneseatError
from oneseat.contract.facts import CodexLogin
from oneseat.contract.request import Request
from oneseat.contract.simulated import Simulator
from oneseat.host.environment import base_environment
from oneseat.host.processes.registry import ProcessRegistry
from oneseat.host.processes.tree import MARKER
from oneseat.providers.cli_common.process import empty_folder, kept_marker, private_folder, starting

from . import discovery, simulated_login
from .login import codex_home, codex_login, forces_a_login, moved_addresses
from .messages import DEFAULT_SYSTEM
from .permissions import Permissions
from .process import CodexProcess, CodexStart

#: The CLI settings of every run, each with the failure it prevents.
_SETTINGS = (
    # The owner's settings can name another provider, which would then be used and paid.
    'model_provider="openai"',
    "analytics.enabled=false",
    "check_for_update_on_startup=false",
    # The owner's settings can name a program that is started after every turn.
    "notify=[]",
    # The CLI would write every prompt to a file.
    'history.persistence="none"',
    # The CLI would add files of the working directory and the owner's own instructions to the prompt.
    "project_doc_max_bytes=0",
    'developer_instructions=""',
    "skills.include_instructions=false",
    "include_apps_instructions=false",
    "include_collaboration_mode_instructions=false",
    'web_search="disabled"',
    # The model's commands would inherit the whole environment of the CLI.
    'shell_environment_policy.inherit="core"',
    # With write access, allow the working directory only: no temporary folders, no network.
    "sandbox_workspace_write.network_access=false",
    "sandbox_workspace_write.exclude_slash_tmp=true",
    "sandbox_workspace_write.exclude_tmpdir_env_var=true",
)
#: Features that a run does not need and that can act, ask or send by themselves. The CLI ignores unknown names.
_OFF = (
    "apps", "plugins", "remote_plugin", "hooks", "goals", "memories", "image_generation", "browser_use",
    "browser_use_external", "computer_use", "in_app_browser", "tool_suggest", "skill_search", "shell_snapshot",
    "workspace_dependencies", "sleep_tool", "skill_mcp_dependency_install", "daemon_auto_start",
    # Without a network the CLI would retry for ever and never report a failure.
    "unbounded_connection_retries",
)  # fmt: skip


class CodexCliConfig(msgspec.Struct, frozen=True, kw_only=True):
    """The provider's configuration. ``environ`` is a snapshot of the caller's environment, never changed.

    ``threads`` is the folder that maps sessions to the CLI's threads; durations are in seconds.
    """

    environ: Mapping[str, str]
    threads: str
    executable: str | None = None
    default_model: str = "default"
    pass_environment: tuple[str, ...] = ()
    after_result_s: float = 10.0
    mcp_start_s: float = 30.0
    mcp_tool_s: float = 1800.0
    simulator: Simulator | None = None


class Launcher:
    """Starts processes of the CLI that ``config`` describes. ``redact`` cleans output that is quoted in errors."""

    def __init__(self, config: CodexCliConfig, kept: ProcessRegistry) -> None:
        self._config = config
        self._kept = kept

    def launch(self, cwd: str, marker: str, redact: Callable[[str], str]) -> CodexProcess:
        """Start an app-server in ``cwd``. Raises ``OneseatError``: ``provider.not_found``, ``provider.cannot_start``, and
        ``billing.*`` when the start could delete the stored login or send it to another URL.
        """
        executable = self.executable()
        self._check_settings()
        with starting(executable), private_folder(marker, self._kept) as private:
            argv = [executable, "app-server", *self._overrides(cwd, marker)]
            return self._start(argv, cwd, marker, private, redact)

    def launch_kept(self, cwd: str, redact: Callable[[str], str]) -> CodexProcess:
        """Start an app-server that outlives a run, with its own marker; see ``end_kept``. Raises like ``launch``."""
        with kept_marker(self._kept) as marker:
            return self.launch(cwd, marker, redact)

    def launch_exec(
        self,
        request: Request,
        model: str | None,
        allowed: Permissions,
        marker: str,
        redact: Callable[[str], str],
    ) -> CodexProcess:
        """Start `codex exec`, which waits for its prompt on stdin. Raises like ``launch``."""
        executable = self.executable()
        self._check_settings()
        with starting(executable), private_folder(marker, self._kept) as private:
            instructions = private / "instructions.md"
            instructions.write_text(request.system or DEFAULT_SYSTEM, "utf-8")
            # `exec` always allows commands: without tools, they run in an empty read-only folder.
            cwd = request.cwd if allowed.acts else empty_folder(private)
            settings = [f"model_instructions_file={quoted(str(instructions))}"]
            if "web_search" in allowed.config:
                settings.append('web_search="live"')
            argv = [
                *(executable, "exec", "--json", "--color", "never", "--skip-git-repo-check", "--ephemeral"),
                *("--ignore-user-config", "--ignore-rules", "-s", allowed.sandbox, "-C", cwd),
                *(word for folder in request.tools.directories for word in ("--add-dir", folder)),
                *(("-m", model) if model is not None else ()),
                *self._overrides(cwd, marker),
                *(word for setting in settings for word in ("-c", setting)),
            ]
            return self._start(argv, cwd, marker, private, redact)

    @property
    def simulated(self) -> bool:
        """Whether runs go to a simulator."""
        return self._config.simulator is not None

    async def end_kept(self, process: CodexProcess, patience_s: float) -> None:
        """End a process of ``launch_kept`` and everything it started."""
        await process.end_kept(patience_s, self._kept)

    def executable(self) -> str:
        """The program that a start would use. Raises ``OneseatError`` ``provider.not_found`` or ``provider.cannot_start``."""
        return discovery.find_executable(self._config.executable, self._config.environ.get("PATH"))

    def folder(self) -> Path:
        """The CLI's configuration folder: the owner's, or a separate one for simulated runs."""
        simulator = self._config.simulator
        return (
            codex_home(self._config.environ) if simulator is None else Path(simulator.folder, simulator.login)
        )

    def login(self) -> CodexLogin:
        """The known facts about the login that a process would use."""
        return codex_login(self.folder())

    def own_addresses(self) -> dict[str, str]:
        """The base URLs that oneseat sets; none except in simulated runs."""
        simulator = self._config.simulator
        if simulator is None:
            return {}
        base = simulator.url.rstrip("/")
        return {"openai_base_url": f"{base}/codex/v1", "chatgpt_base_url": f"{base}/backend-api/"}

    def _check_settings(self) -> None:
        """Raise ``OneseatError`` for settings that take effect as soon as the CLI starts, before it can be asked about them."""
        login, folder = self.login(), self.folder()
        moved = moved_addresses(folder) if self._config.simulator is None else ()
        if moved:
            raise OneseatError(
                ErrorInfo(
                    code="billing.base_url_changed",
                    message="The login would be sent to an address other than the vendor's: "
                    f"`{', '.join(moved)}`\n  set in {folder / 'config.toml'}; the CLI was not started",
                    hint=f"Remove it from {folder / 'config.toml'}, then check: `oneseat doctor`",
                )
            )
        if login.kind == "file" and login.auth_mode != "chatgpt" and forces_a_login(folder):
            raise OneseatError(
                ErrorInfo(
                    code="billing.api_key_wins",
                    message="The official CLI is not signed in to a plan, and its settings force a login: "
                    f"`forced_login_method`\n  in {folder / 'config.toml'}; started this way, it can delete {login.place}",
                    hint="Sign in with the plan: `codex login`",
                )
            )

    def _start(
        self, argv: list[str], cwd: str, marker: str, private: Path, redact: Callable[[str], str]
    ) -> CodexProcess:
        start = CodexStart(argv, self._environment(private), cwd, marker, self.own_addresses())
        return CodexProcess.start(start, private, redact)

    def _overrides(self, cwd: str, marker: str) -> list[str]:
        settings = [*_SETTINGS, *(f"features.{name}=false" for name in _OFF)]
        # The CLI clears the tools' environment; without the marker, tools could not be found after the CLI dies.
        settings.append(f"shell_environment_policy.set={{{MARKER}={quoted(marker)}}}")
        # A trusted folder would add its own settings and MCP servers, which the run did not request.
        settings.append(f'projects={{{quoted(cwd)}={{trust_level="untrusted"}}}}')
        settings += [f"{name}={quoted(value)}" for name, value in self.own_addresses().items()]
        if self._config.simulator is not None:
            # The simulator cannot read compressed requests.
            settings.append("features.enable_request_compression=false")
        return [word for setting in settings for word in ("-c", setting)]

    def _environment(self, private: Path) -> dict[str, str]:
        config = self._config
        env = base_environment(config.environ, config.pass_environment)
        # The CLI logs errors even in successful runs; relevant errors arrive as notifications.
        env.update(TERM="dumb", NO_COLOR="1", RUST_LOG="off")
        for name in ("TMPDIR", "TEMP", "TMP"):
            env[name] = str(private)
        simulator = config.simulator
        if simulator is None:
            if moved := config.environ.get("CODEX_HOME"):
                env["CODEX_HOME"] = moved
            return env
        home = private / "home"
        home.mkdir(mode=0o700)
        simulated_login.sign_in(
            self.folder(), None if simulator.login == "none" else simulator.token, time.time()
        )
        # Keep the real login out of reach: neither its folder nor the vendor's URL is in the child's environment.
        env.update(
            HOME=str(home),
            USERPROFILE=str(home),
            CODEX_HOME=str(self.folder()),
            CODEX_REFRESH_TOKEN_URL_OVERRIDE=f"{simulator.url.rstrip('/')}/oauth/token",
        )
        return env


def quoted(text: str) -> str:
    """A text as a TOML string."""
    return msgspec.json.encode(text).decode()
