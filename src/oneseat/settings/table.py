"""The table of all settings: name, variable, type, default, meaning. Everything else is derived from it."""

# Annotations are not postponed: every run evaluates them, and evaluating them from strings takes 2 ms.

from functools import cache
from typing import Annotated, Any, Literal, get_args

import msgspec

from oneseat.contract.policy import Host

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
            "The folder that holds configuration, data and state; without it, the platform's own folders",
            env="ONESEAT_HOME",
            files="none",
        ),
    ] = None
    claude_path: Annotated[
        str | None,
        Setting(
            "claude.path",
            PATH,
            "The official `claude` program; without it, the first one in PATH",
            env="ONESEAT_CLAUDE_PATH",
            files="own",
        ),
    ] = None
    claude_model: Annotated[
        str,
        Setting("claude.model", TEXT, "The model when a request names none", env="ONESEAT_MODEL"),
    ] = "sonnet"
    claude_pass_environment: Annotated[
        tuple[str, ...],
        Setting(
            "claude.pass_environment",
            VARIABLE_NAMES,
            "More variables that the official CLI may see, such as HTTPS_PROXY or NODE_EXTRA_CA_CERTS",
            files="own",
        ),
    ] = ()
    claude_max_retries: Annotated[
        int,
        Setting(
            "claude.max_retries",
            whole(0, 10),
            "How often the official CLI repeats a failed request by itself, within one attempt",
        ),
    ] = 2
    codex_path: Annotated[
        str | None,
        Setting(
            "codex.path",
            PATH,
            "The official `codex` program; without it, the first one in PATH",
            env="ONESEAT_CODEX_PATH",
            files="own",
        ),
    ] = None
    codex_model: Annotated[
        str,
        Setting(
            "codex.model",
            TEXT,
            "The model of the official `codex` CLI when a request names none; `default` is its own",
        ),
    ] = "default"
    codex_pass_environment: Annotated[
        tuple[str, ...],
        Setting(
            "codex.pass_environment",
            CODEX_VARIABLE_NAMES,
            "More variables that the official `codex` CLI may see, such as HTTPS_PROXY",
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
            "The made-up login of a simulated run: a token in the environment, a login file, or none",
            env="ONESEAT_SIMULATOR_LOGIN",
            files="own",
        ),
    ] = "token"
    seat_provider: Annotated[
        Literal["claude-cli", "codex-cli"],
        Setting(
            "seat.provider",
            one_of("claude-cli", "codex-cli"),
            "Whose plan serves a run that asks for nobody else",
            files="own",
        ),
    ] = "claude-cli"
    fallback_to: Annotated[
        tuple[str, ...],
        Setting(
            "fallback.to",
            NAMES,
            "Who serves such a run when the seat may not or cannot, in this order: another seat, then keys by their names. "
            "Keys of included credits come before paid ones; without this a run never leaves its plan",
            files="own",
        ),
    ] = ()
    simulator_date: Annotated[
        str | None,
        Setting(
            "simulator.date",
            DAY,
            "The day that a simulated run takes for today where rules have dates; without it, the day the rules were written on",
            env="ONESEAT_SIMULATOR_DATE",
            files="own",
        ),
    ] = None
    run_timeout_s: Annotated[
        float, Setting("run.timeout_s", seconds(1, 604_800), "How long a whole run may take")
    ] = 1800.0
    retry_max_attempts: Annotated[
        int,
        Setting(
            "retry.max_attempts",
            whole(1, 20),
            "How often a prompt is sent because of failures that pass by themselves; 1 never repeats",
        ),
    ] = 3
    retry_max_wait_s: Annotated[
        float,
        Setting(
            "retry.max_wait_s",
            seconds(0, 86_400),
            "How long a run waits in all between its attempts, also for a full limit to be reset",
        ),
    ] = 60.0
    run_max_depth: Annotated[
        int,
        Setting("run.max_depth", whole(1, 100), "How deep runs may start further runs", files="own"),
    ] = 3
    run_max_parallel: Annotated[
        int,
        Setting(
            "run.max_parallel",
            whole(1, 1000),
            "How many runs go on at once on this machine, each with a process of about 200 MB; further ones wait",
            files="own",
        ),
    ] = 8
    budget_day_usd: Annotated[
        float | None,
        Setting(
            "budget.day_usd",
            DOLLARS,
            "What all runs of one day may cost together at list price; counted on a plan too, where nothing is charged",
            files="own",
        ),
    ] = None
    budget_month_usd: Annotated[
        float | None,
        Setting(
            "budget.month_usd",
            DOLLARS,
            "What all runs of one month may cost together at list price; counted on a plan too",
            files="own",
        ),
    ] = None
    budget_allow_unpriced: Annotated[
        bool,
        Setting(
            "budget.allow_unpriced",
            FLAG,
            "Let a model whose price nobody knows run under a budget, which then does not bound it",
            files="own",
        ),
    ] = False
    limits_pause_at_percent: Annotated[
        int | None,
        Setting(
            "limits.pause_at_percent",
            whole(1, 100),
            "From which share of a usage window on no run begins that nobody watches at a terminal, so that the rest is yours",
            files="own",
        ),
    ] = None
    session_max_age_s: Annotated[
        float,
        Setting("session.max_age_s", seconds(1, 2_592_000), "How long a project's session is continued"),
    ] = 3600.0
    session_max_messages: Annotated[
        int,
        Setting("session.max_messages", whole(1, 10_000), "How many messages a project's session may have"),
    ] = 8
    session_max_bytes: Annotated[
        int,
        Setting(
            "session.max_bytes",
            whole(1, 1_000_000_000),
            "How many bytes the transcript of a project's session may have; the official CLI keeps all of it in memory",
        ),
    ] = 20_000_000
    watchdog_start_s: Annotated[
        float,
        Setting("watchdog.start_s", seconds(1, 3600), "How long the official CLI may take to say who pays"),
    ] = 30.0
    watchdog_model_s: Annotated[
        float, Setting("watchdog.model_s", seconds(1, 86_400), "How long the model may be silent")
    ] = 600.0
    watchdog_tool_s: Annotated[
        float,
        Setting("watchdog.tool_s", seconds(1, 86_400), "How long a tool may run without a sign of life"),
    ] = 2100.0
    watchdog_retry_s: Annotated[
        float,
        Setting(
            "watchdog.retry_s", seconds(1, 86_400), "How long the official CLI may go on repeating a request"
        ),
    ] = 300.0
    watchdog_after_result_s: Annotated[
        float,
        Setting(
            "watchdog.after_result_s",
            seconds(0, 3600),
            "How long the official CLI may take to end after its result",
        ),
    ] = 10.0
    pool_size: Annotated[
        int,
        Setting(
            "pool.size",
            whole(0, 32),
            "How many processes of the official CLI a running server keeps ready",
            files="own",
        ),
    ] = 1
    pool_idle_s: Annotated[
        float,
        Setting("pool.idle_s", seconds(1, 86_400), "How long such a process may wait for a run", files="own"),
    ] = 900.0
    pool_max_memory_mb: Annotated[
        int,
        Setting(
            "pool.max_memory_mb",
            whole(1, 1_000_000),
            "How many megabytes the waiting processes may take in all; one takes about 250",
            files="own",
        ),
    ] = 1000
    pool_runs_per_process: Annotated[
        int,
        Setting(
            "pool.runs_per_process",
            whole(1, 1000),
            "How many independent runs without tools one process may serve, one after the other",
            files="own",
        ),
    ] = 1
    mcp_start_s: Annotated[
        float,
        Setting("mcp.start_s", seconds(1, 3600), "How long the MCP servers of a run may take to start"),
    ] = 30.0
    mcp_tool_s: Annotated[
        float,
        Setting(
            "mcp.tool_s",
            seconds(1, 86_400),
            "How long a call of an MCP tool may take before the model is told that it failed; "
            "`watchdog.tool_s`, after which the run ends, should be longer",
        ),
    ] = 1800.0
    canary_auto: Annotated[
        bool,
        Setting(
            "canary.auto",
            FLAG,
            "Try a version of the official CLI that oneseat was not tested with before its first run, on the embedded simulator, "
            "and refuse it when it breaks an assumption",
            files="own",
        ),
    ] = True
    policy_humans: Annotated[
        int,
        Setting(
            "policy.humans",
            whole(1, 1000),
            "How many people use oneseat here; a plan is for one, so with more of them nothing goes to it",
            files="own",
        ),
    ] = 1
    policy_host: Annotated[
        Host | None,
        Setting(
            "policy.host",
            one_of(*get_args(Host)),
            "Whose machine this is; without it, the owner's, or a rented one where the variables of a CI service are set",
            files="own",
        ),
    ] = None
    policy_plan: Annotated[
        StatedPlan | None,
        Setting(
            "policy.plan",
            one_of(*get_args(StatedPlan)),
            "Your plan, where a rule depends on it; once the official CLI names one, that counts",
            files="own",
        ),
    ] = None
    log_level: Annotated[
        LogLevel | None,
        Setting(
            "log.level",
            one_of(*get_args(LogLevel)),
            "From which level on the commands log, one JSON object a line; without it they log nothing, or `info` to a `log.file`",
            env="ONESEAT_LOG",
            files="own",
        ),
    ] = None
    log_file: Annotated[
        str | None,
        Setting(
            "log.file",
            PATH,
            "The file that the log of the commands is appended to; without it, stderr",
            env="ONESEAT_LOG_FILE",
            files="own",
        ),
    ] = None
    telemetry_otel: Annotated[
        bool,
        Setting(
            "telemetry.otel",
            FLAG,
            "Trace runs with OpenTelemetry, which `oneseat[otel]` installs; no text of a run is in a trace",
            files="own",
        ),
    ] = False
    serve_drain_s: Annotated[
        float,
        Setting(
            "serve.drain_s",
            seconds(0, 86_400),
            "How long a server that is told to stop lets its runs go on",
            files="own",
        ),
    ] = 30.0
    serve_max_connections: Annotated[
        int,
        Setting(
            "serve.max_connections",
            whole(1, 1000),
            "How many runs a server does at once; more of them are done without it",
            files="own",
        ),
    ] = 64
    ledger_keep_text: Annotated[
        bool,
        Setting(
            "ledger.keep_text",
            FLAG,
            "Keep the beginnings of prompts, the answers and the tool traffic in the ledger, redacted",
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
