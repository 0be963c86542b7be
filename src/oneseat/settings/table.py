"""The table of all settings: name, variable, type, default, meaning. Everything else is derived from it."""

from functools import cache
from typing import Annotated, Any, Literal, get_args

import msgspec

from oneseat.contract.policy import Host
from oneseat.contract.providers import DEFAULT_SEAT, SEATS, SeatName

from .checks import (
    CODEX_VARIABLE_NAMES,
    DAY,
    DOLLARS,
    FLAG,
    LOOPBACK_URL,
    NAMES,
    PATH,
    TEXT,
    VARIABLE_NAMES,
    Check,
    one_of,
    seconds,
    whole,
)
from .clients import CLIENTS
from .formatting import toml
from .keys import KEYS
from .prices import PRICES
from .projects import PROJECTS
from .roles import ROLES
from .tables import NamedTable

# Annotations are not postponed: every run evaluates them, and evaluating them from strings takes 2 ms.


SimulatorLogin = Literal["token", "file", "none"]
#: The plans an owner can state, for rules that are decided before the billing gate.
StatedPlan = Literal["pro", "max", "ultra", "team_seat", "ent_seat"]
LogLevel = Literal["debug", "info", "warning", "error"]


class Setting(msgspec.Struct, frozen=True):
    """One setting. ``files`` says which settings files may set it: any, only the owner's, or none."""

    name: str
    check: Check
    meaning: str
    env: str | None = None
    files: Literal["any", "own", "none"] = "any"
    since: str = "0.1.0"


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """The values of all settings. Times are in seconds."""

    home: Annotated[
        str | None,
        Setting(
            "home",
            TEXT,
            "One folder for configuration, data and state; default: the platform's folders",
            env="ONESEAT_HOME",
            files="none",
        ),
    ] = None
    claude_path: Annotated[
        str | None,
        Setting(
            "claude.path",
            PATH,
            "Path of the official `claude` program; default: the first one in PATH",
            env="ONESEAT_CLAUDE_PATH",
            files="own",
        ),
    ] = None
    claude_model: Annotated[
        str,
        Setting("claude.model", TEXT, "Default model", env="ONESEAT_MODEL"),
    ] = "sonnet"
    claude_pass_environment: Annotated[
        tuple[str, ...],
        Setting(
            "claude.pass_environment",
            VARIABLE_NAMES,
            "Additional environment variables passed to the official CLI, such as HTTPS_PROXY or NODE_EXTRA_CA_CERTS",
            files="own",
        ),
    ] = ()
    claude_max_retries: Annotated[
        int,
        Setting(
            "claude.max_retries",
            whole(0, 10),
            "How often the official CLI itself retries a failed request within one attempt",
        ),
    ] = 2
    codex_path: Annotated[
        str | None,
        Setting(
            "codex.path",
            PATH,
            "Path of the official `codex` program; default: the first one in PATH",
            env="ONESEAT_CODEX_PATH",
            files="own",
        ),
    ] = None
    codex_model: Annotated[
        str,
        Setting(
            "codex.model",
            TEXT,
            "Default model of the official `codex` CLI; `default` is its own choice",
        ),
    ] = "default"
    codex_pass_environment: Annotated[
        tuple[str, ...],
        Setting(
            "codex.pass_environment",
            CODEX_VARIABLE_NAMES,
            "Additional environment variables passed to the official `codex` CLI, such as HTTPS_PROXY",
            files="own",
        ),
    ] = ()
    simulator_url: Annotated[
        str | None,
        Setting(
            "simulator.url",
            LOOPBACK_URL,
            "Send runs to a simulator on this machine instead of the vendor",
            env="ONESEAT_SIMULATOR_URL",
            files="own",
        ),
    ] = None
    simulator_login: Annotated[
        SimulatorLogin,
        Setting(
            "simulator.login",
            one_of(*get_args(SimulatorLogin)),
            "Simulated login: a token in the environment, a login file, or none",
            env="ONESEAT_SIMULATOR_LOGIN",
            files="own",
        ),
    ] = "token"
    seat_provider: Annotated[
        SeatName,
        Setting(
            "seat.provider",
            one_of(*SEATS),
            "Plan used by runs that name no provider",
            files="own",
        ),
    ] = DEFAULT_SEAT
    fallback_to: Annotated[
        tuple[str, ...],
        Setting(
            "fallback.to",
            NAMES,
            "Fallbacks when the plan may not or cannot serve such a run, in order: another seat, or names of API keys. "
            "Keys with included credits come before paid ones; without this setting a run never leaves its plan",
            files="own",
        ),
    ] = ()
    simulator_date: Annotated[
        str | None,
        Setting(
            "simulator.date",
            DAY,
            "Date that simulated runs use for rules with dates; default: the date of the policy pack",
            env="ONESEAT_SIMULATOR_DATE",
            files="own",
        ),
    ] = None
    run_timeout_s: Annotated[
        float, Setting("run.timeout_s", seconds(1, 604_800), "Timeout of a whole run")
    ] = 1800.0
    retry_max_attempts: Annotated[
        int,
        Setting(
            "retry.max_attempts",
            whole(1, 20),
            "Maximum attempts when a failure is transient; 1 disables retries",
        ),
    ] = 3
    retry_max_wait_s: Annotated[
        float,
        Setting(
            "retry.max_wait_s",
            seconds(0, 86_400),
            "Maximum total wait between attempts, including for a full limit to reset",
        ),
    ] = 60.0
    run_max_depth: Annotated[
        int,
        Setting("run.max_depth", whole(1, 100), "Maximum nesting of runs started inside runs", files="own"),
    ] = 3
    run_max_parallel: Annotated[
        int,
        Setting(
            "run.max_parallel",
            whole(1, 1000),
            "Maximum parallel runs on this machine, each with a process of about 200 MB; others wait",
            files="own",
        ),
    ] = 8
    budget_day_usd: Annotated[
        float | None,
        Setting(
            "budget.day_usd",
            DOLLARS,
            "Daily budget of all runs at list price; also counted on a plan, where nothing is charged",
            files="own",
        ),
    ] = None
    budget_month_usd: Annotated[
        float | None,
        Setting(
            "budget.month_usd",
            DOLLARS,
            "Monthly budget of all runs at list price; also counted on a plan",
            files="own",
        ),
    ] = None
    budget_allow_unpriced: Annotated[
        bool,
        Setting(
            "budget.allow_unpriced",
            FLAG,
            "Allow models without a list price under a budget, which then does not limit them",
            files="own",
        ),
    ] = False
    limits_pause_at_percent: Annotated[
        int | None,
        Setting(
            "limits.pause_at_percent",
            whole(1, 100),
            "Pause unattended runs when a usage window is this full (percent)",
            files="own",
        ),
    ] = None
    session_max_age_s: Annotated[
        float,
        Setting("session.max_age_s", seconds(1, 2_592_000), "Maximum age of a project's session"),
    ] = 3600.0
    session_max_messages: Annotated[
        int,
        Setting(
            "session.max_messages", whole(1, 10_000), "Maximum number of messages in a project's session"
        ),
    ] = 8
    session_max_bytes: Annotated[
        int,
        Setting(
            "session.max_bytes",
            whole(1, 1_000_000_000),
            "Maximum transcript size of a project's session in bytes; the official CLI keeps all of it in memory",
        ),
    ] = 20_000_000
    watchdog_start_s: Annotated[
        float,
        Setting("watchdog.start_s", seconds(1, 3600), "Timeout for the official CLI to report who pays"),
    ] = 30.0
    watchdog_model_s: Annotated[
        float, Setting("watchdog.model_s", seconds(1, 86_400), "Timeout for silence from the model")
    ] = 600.0
    watchdog_tool_s: Annotated[
        float,
        Setting("watchdog.tool_s", seconds(1, 86_400), "Timeout for a tool that shows no activity"),
    ] = 2100.0
    watchdog_retry_s: Annotated[
        float,
        Setting("watchdog.retry_s", seconds(1, 86_400), "Timeout for the official CLI's own retries"),
    ] = 300.0
    watchdog_after_result_s: Annotated[
        float,
        Setting(
            "watchdog.after_result_s",
            seconds(0, 3600),
            "Timeout for the official CLI to exit after its result",
        ),
    ] = 10.0
    pool_size: Annotated[
        int,
        Setting(
            "pool.size",
            whole(0, 32),
            "Number of warm processes of the official CLI that a running server keeps",
            files="own",
        ),
    ] = 1
    pool_idle_s: Annotated[
        float,
        Setting("pool.idle_s", seconds(1, 86_400), "Maximum idle time of a warm process", files="own"),
    ] = 900.0
    pool_max_memory_mb: Annotated[
        int,
        Setting(
            "pool.max_memory_mb",
            whole(1, 1_000_000),
            "Memory limit of all warm processes in MB; one takes about 250",
            files="own",
        ),
    ] = 1000
    pool_runs_per_process: Annotated[
        int,
        Setting(
            "pool.runs_per_process",
            whole(1, 1000),
            "How many independent runs without tools one process serves, one after another",
            files="own",
        ),
    ] = 1
    mcp_start_s: Annotated[
        float,
        Setting("mcp.start_s", seconds(1, 3600), "Timeout for the MCP servers of a run to start"),
    ] = 30.0
    mcp_tool_s: Annotated[
        float,
        Setting(
            "mcp.tool_s",
            seconds(1, 86_400),
            "Timeout of an MCP tool call, after which the model is told it failed; "
            "keep it below `watchdog.tool_s`, which ends the run",
        ),
    ] = 1800.0
    canary_auto: Annotated[
        bool,
        Setting(
            "canary.auto",
            FLAG,
            "Check an untested version of the official CLI on the embedded simulator before its first run, "
            "and refuse it when it breaks an assumption",
            files="own",
        ),
    ] = True
    policy_humans: Annotated[
        int,
        Setting(
            "policy.humans",
            whole(1, 1000),
            "Number of people who use oneseat here; a plan is for one person, so with more it is not used",
            files="own",
        ),
    ] = 1
    policy_host: Annotated[
        Host | None,
        Setting(
            "policy.host",
            one_of(*get_args(Host)),
            "Whose machine this is; default: the owner's, or a rented runner where a CI service's variables are set",
            files="own",
        ),
    ] = None
    policy_plan: Annotated[
        StatedPlan | None,
        Setting(
            "policy.plan",
            one_of(*get_args(StatedPlan)),
            "Your plan, where a rule depends on it; the plan that the official CLI reports takes precedence",
            files="own",
        ),
    ] = None
    log_level: Annotated[
        LogLevel | None,
        Setting(
            "log.level",
            one_of(*get_args(LogLevel)),
            "Log level of the commands, one JSON object per line; default: no log, or `info` when `log.file` is set",
            env="ONESEAT_LOG",
            files="own",
        ),
    ] = None
    log_file: Annotated[
        str | None,
        Setting(
            "log.file",
            PATH,
            "File the log is appended to; default: stderr",
            env="ONESEAT_LOG_FILE",
            files="own",
        ),
    ] = None
    telemetry_otel: Annotated[
        bool,
        Setting(
            "telemetry.otel",
            FLAG,
            "Trace runs with OpenTelemetry (install `oneseat[otel]`); traces contain no text of a run",
            files="own",
        ),
    ] = False
    serve_drain_s: Annotated[
        float,
        Setting(
            "serve.drain_s",
            seconds(0, 86_400),
            "How long a stopping server waits for its active runs",
            files="own",
        ),
    ] = 30.0
    serve_max_connections: Annotated[
        int,
        Setting(
            "serve.max_connections",
            whole(1, 1000),
            "Maximum parallel runs of a server; further runs are done without it",
            files="own",
        ),
    ] = 64
    ledger_keep_text: Annotated[
        bool,
        Setting(
            "ledger.keep_text",
            FLAG,
            "Keep prompt previews, answers and tool traffic in the ledger, redacted",
        ),
    ] = True


#: Every kind of named table, by its first word.
NAMED_TABLES: dict[str, NamedTable[Any]] = {
    named.table: named for named in (PROJECTS, CLIENTS, KEYS, ROLES, PRICES)
}


@cache
def in_named_tables() -> dict[tuple[str, str], Setting]:
    """What may stand in a named table, by the table's first word and its key."""
    return {
        (named.table, key): Setting(f"{named.table}.NAME.{key}", check, meaning, files="own")
        for named in NAMED_TABLES.values()
        for key, (check, meaning) in named.keys.items()
    }


@cache
def declared() -> dict[str, tuple[str, Setting]]:
    """Every declaration by its dotted name, with the field of ``Settings`` it fills."""
    found = ((field, get_args(hint)[1]) for field, hint in Settings.__annotations__.items())
    return {setting.name: (field, setting) for field, setting in found}


def differences(one: Settings, other: Settings) -> tuple[str, ...]:
    """The names of the settings that differ."""
    return tuple(
        name for name, (field, _) in declared().items() if getattr(one, field) != getattr(other, field)
    )


class ReferenceRow(msgspec.Struct, frozen=True):
    """One line of the settings reference."""

    name: str
    variable: str | None
    expected: str
    default: str
    files: str
    meaning: str
    since: str


def reference_rows() -> tuple[ReferenceRow, ...]:
    """The settings reference, in the order of declaration."""
    where = {"any": "project's or own", "own": "own only", "none": "in no file"}
    defaults = Settings()
    ours = tuple(
        ReferenceRow(
            name=setting.name,
            variable=setting.env,
            expected=setting.check.expected,
            default=toml(getattr(defaults, field)),
            files=where[setting.files],
            meaning=setting.meaning,
            since=setting.since,
        )
        for field, setting in declared().values()
    )
    return ours + tuple(
        ReferenceRow(
            name=setting.name,
            variable=None,
            expected=setting.check.expected,
            default=toml(None),
            files=where[setting.files],
            meaning=setting.meaning,
            since=setting.since,
        )
        for setting in in_named_tables().values()
    )
