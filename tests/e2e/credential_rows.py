"""What decides who pays, as an owner meets it, and what oneseat makes of it: one row per situation.

Every case recorded from the real CLI (tests/data/claude/auth-matrix.jsonl) has at least one row. What a case puts around the
CLI can reach it in two ways, and they end differently: around oneseat it is kept from the CLI and the run goes on; put there
by a script around the CLI it is refused.

A row by itself is decided in tests/rules. Here every row is part of a run: those that end alike and do not contradict each
other are met at once (`together`), and the receipt of such a run has to name the sources of all of them and no others.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, Literal

import msgspec

#: Part of every made-up secret: it must never show up anywhere.
PLANTED = "PLANTED"


class World(msgspec.Struct, frozen=True, kw_only=True):
    """One situation.

    ``env``, the settings files (``user``, ``project``, ``local``) and ``dotenv`` are around oneseat. ``exports``, ``options``
    and ``shell`` are a script around the CLI: what it exports, adds to the command line, and does before it starts the CLI.
    `$ELSEWHERE` in any of them is the address of another server, `$OTHER` a folder with another login, `$CLI` the real CLI.
    """

    env: dict[str, str] = {}
    user: dict[str, Any] | None = None
    project: dict[str, Any] | None = None
    local: dict[str, Any] | None = None
    dotenv: str = ""
    login: Literal["token", "file", "none"] = "token"
    exports: dict[str, str] = {}
    options: tuple[str, ...] = ()
    shell: str = ""


class Decision(msgspec.Struct, frozen=True):
    """How a run ends: its status, exit code, error code, and the wallet on the receipt."""

    status: str
    exit: int
    code: str | None
    wallet: str

    @property
    def runs(self) -> bool:
        """Whether the prompt is sent."""
        return self.code is None


class Row(msgspec.Struct, frozen=True):
    """A situation and its end. ``kept`` and ``present`` map each source that the receipt names to the place it names.

    ``why`` is what the refusal says where it is not a source that is refused. ``decisive`` rows, which rest on
    what the CLI says and not on what is seen of its process and its files, are also taken through the oldest CLI; one of them
    for each exit code through the command.
    """

    case: str
    world: World
    decision: Decision
    kept: dict[str, str] = {}
    present: dict[str, str] = {}
    why: str = ""
    decisive: bool = False

    @property
    def met(self) -> str:
        """Where the owner meets it."""
        world = self.world
        return "script" if world.exports or world.options or world.shell else "around"


def together(rows: Iterable[Row]) -> list[tuple[World, tuple[Row, ...]]]:
    """The rows in as few worlds as they fit into."""
    met: list[tuple[World, tuple[Row, ...]]] = []
    for row in rows:
        for number, (world, others) in enumerate(met):
            joined = _joined(world, row.world)
            if joined is not None and _alike(row, others[0]):
                met[number] = (joined, (*others, row))
                break
        else:
            met.append((row.world, (row,)))
    return met


def _alike(row: Row, other: Row) -> bool:
    """Whether the end of one says nothing else than the end of the other."""
    return (row.decision, row.met, row.why) == (other.decision, other.met, "")


def _joined(one: World, other: World) -> World | None:
    """Both at once; ``None`` where they contradict each other. What scripts export can be joined, what they do cannot."""
    if one.shell or (one.login, one.options, one.shell) != (other.login, other.options, other.shell):
        return None
    fields = ("env", "user", "project", "local", "exports")
    joined = {field: _both(getattr(one, field) or {}, getattr(other, field) or {}) for field in fields}
    if None in joined.values():
        return None
    if joined["user"] and "CLAUDE_CONFIG_DIR" in (joined["env"] or {}):
        return None  # the user's settings would be looked for in that folder
    return msgspec.structs.replace(one, **joined, dotenv=f"{one.dotenv}\n{other.dotenv}".strip())


def _both(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any] | None:
    joined = one | other
    for name in one.keys() & other.keys():
        nested = isinstance(one[name], dict) and isinstance(other[name], dict)
        joined[name] = _both(one[name], other[name]) if nested else other[name]
        if joined[name] is None or not (nested or one[name] == other[name]):
            return None
    return joined


def _refused(word: str, wallet: str = "unknown") -> Decision:
    return Decision("refused", 3, f"billing.{word}", wallet)


RUNS = Decision("completed", 0, None, "simulator")
SIGNED_OUT = Decision("failed", 7, "provider.signed_out", "unknown")
KEY_WINS = _refused("api_key_wins", "api_key")
HELPER_WINS = _refused("key_helper_wins", "api_key")
TOKEN_WINS = _refused("auth_token_wins")
CLOUD = _refused("cloud_provider", "cloud")
GATEWAY = _refused("cloud_provider")
ADDRESS = _refused("base_url_changed")
HEADERS = _refused("custom_headers")
UNSAFE = _refused("unsafe_child")

ENVIRONMENT = "environment"
USER = "~/.claude/settings.json"
PROJECT = "./.claude/settings.json"
LOCAL = "./.claude/settings.local.json"
DOTENV = "./.env"
CHILD = "environment of the CLI process"
FLAG = "--settings on the CLI's command line"
USER_ON = "user settings, switched on again"
PROJECT_ON = "project settings, switched on again"
LOCAL_ON = "local settings, switched on again"
#: The CLI's own state file, in the private folder of a simulated run.
STATE = "*/config/.claude.json"

KEY = {"ANTHROPIC_API_KEY": f"sk-ant-api03-{PLANTED}"}
TOKEN = {"ANTHROPIC_AUTH_TOKEN": f"{PLANTED}-bearer"}
LOGIN = {"CLAUDE_CODE_OAUTH_TOKEN": f"sk-ant-oat01-{PLANTED}"}
HELPER = {"apiKeyHelper": f"echo sk-ant-api03-{PLANTED}"}
BEDROCK = {"CLAUDE_CODE_USE_BEDROCK": "1"}
SIMPLE = {"CLAUDE_CODE_SIMPLE": "1"}
GATEWAY_ON = {"CLAUDE_CODE_USE_GATEWAY": "1"}
KEY_HEADER = {"ANTHROPIC_CUSTOM_HEADERS": f"x-api-key: sk-ant-api03-{PLANTED}"}
LOGIN_HEADER = {"ANTHROPIC_CUSTOM_HEADERS": f"Authorization: Bearer {PLANTED}"}
MANAGED_BY_HOST = {"CLAUDE_CODE_PROVIDER_MANAGED_BY_HOST": "1"}
PROFILE = {"ANTHROPIC_PROFILE": PLANTED}
FEDERATION = {"ANTHROPIC_FEDERATION_RULE_ID": PLANTED, "ANTHROPIC_ORGANIZATION_ID": PLANTED}
VERTEX = {"CLAUDE_CODE_USE_VERTEX": "1"}
FOUNDRY = {"CLAUDE_CODE_USE_FOUNDRY": "1"}
AWS = {"CLAUDE_CODE_USE_ANTHROPIC_AWS": "1"}
MANTLE = {"CLAUDE_CODE_USE_MANTLE": "1"}
ELSEWHERE = {"ANTHROPIC_BASE_URL": "$ELSEWHERE"}

USER_SOURCES = ("--setting-sources", "user")
PROJECT_SOURCES = ("--setting-sources", "project")
LOCAL_SOURCES = ("--setting-sources", "local")


def env(block: dict[str, str]) -> dict[str, Any]:
    """Settings with an `env` block."""
    return {"env": block}


def flag(settings: dict[str, Any]) -> tuple[str, ...]:
    """Settings on the command line."""
    return ("--settings", json.dumps(settings))


def writes(file: str, content: dict[str, Any]) -> str:
    """A line of a script that puts a file into the CLI's folder before the CLI starts."""
    return f"""cat > "$CLAUDE_CONFIG_DIR/{file}" <<'END'\n{json.dumps(content)}\nEND"""


def user(settings: dict[str, Any]) -> str:
    """A line of a script that writes the user's settings."""
    return writes("settings.json", settings)


def state(content: dict[str, Any]) -> str:
    """A line of a script that writes the CLI's own state file, which is read whatever the flags are."""
    return writes(".claude.json", content)


def stored(*scopes: str) -> str:
    """A line of a script that stores another login."""
    login = {
        "accessToken": f"sk-ant-oat01-{PLANTED}",
        "refreshToken": f"sk-ant-ort01-{PLANTED}",
        "expiresAt": 4_102_444_800_000,
        "scopes": scopes,
        "subscriptionType": "max",
    }
    return writes(".credentials.json", {"claudeAiOauth": login})


def at(place: str, *blocks: dict[str, Any]) -> dict[str, str]:
    """The names in these blocks, all found in one place."""
    return {name: place for block in blocks for name in block}


W = World
#: The recorded cases, in their order.
RECORDED = (
    Row("none", W(login="none"), SIGNED_OUT, decisive=True),
    Row("oauth_env", W(env=LOGIN), RUNS, decisive=True),
    Row("oauth_env+creds", W(env=LOGIN), RUNS),
    Row("oauth_env+creds", W(shell=stored("user:inference")), RUNS),
    Row("creds_only", W(login="file"), RUNS, decisive=True),
    Row("apikey_env", W(env=KEY, login="none"), SIGNED_OUT, at(ENVIRONMENT, KEY)),
    Row("apikey_env", W(exports=KEY, login="none"), KEY_WINS, {}, at(CHILD, KEY)),
    Row("apikey+oauth_env", W(env=KEY), RUNS, at(ENVIRONMENT, KEY), decisive=True),
    Row("apikey+oauth_env", W(dotenv=f"export ANTHROPIC_API_KEY={PLANTED}"), RUNS, at(DOTENV, KEY), decisive=True),
    Row("apikey+oauth_env", W(exports=KEY), KEY_WINS, {}, at(CHILD, KEY), decisive=True),
    Row("apikey+creds", W(env=KEY, login="file"), RUNS, at(ENVIRONMENT, KEY)),
    Row("apikey+creds", W(exports=KEY, login="file"), KEY_WINS, {}, at(CHILD, KEY)),
    Row("authtoken", W(env=TOKEN, login="none"), SIGNED_OUT, at(ENVIRONMENT, TOKEN)),
    Row("authtoken", W(exports=TOKEN, login="none"), TOKEN_WINS, {}, at(CHILD, TOKEN)),
    Row("authtoken+oauth_env", W(env=TOKEN), RUNS, at(ENVIRONMENT, TOKEN)),
    Row("authtoken+oauth_env", W(dotenv=f"ANTHROPIC_AUTH_TOKEN='{PLANTED}'"), RUNS, at(DOTENV, TOKEN)),
    Row("authtoken+oauth_env", W(exports=TOKEN), TOKEN_WINS, {}, at(CHILD, TOKEN), decisive=True),
    Row("authtoken+apikey", W(env=TOKEN | KEY, login="none"), SIGNED_OUT, at(ENVIRONMENT, TOKEN, KEY)),
    Row("authtoken+apikey", W(exports=TOKEN | KEY, login="none"), KEY_WINS, {}, at(CHILD, TOKEN, KEY)),
    Row("authtoken+apikey+oauth", W(env=TOKEN | KEY), RUNS, at(ENVIRONMENT, TOKEN, KEY)),
    Row("authtoken+apikey+oauth", W(exports=TOKEN | KEY), KEY_WINS, {}, at(CHILD, TOKEN, KEY)),
    Row("authtoken+creds", W(env=TOKEN, login="file"), RUNS, at(ENVIRONMENT, TOKEN)),
    Row("authtoken+creds", W(exports=TOKEN, login="file"), TOKEN_WINS, {}, at(CHILD, TOKEN)),
    Row("helper_user", W(user=HELPER, login="none"), SIGNED_OUT, at(USER, HELPER)),
    Row("helper_user+oauth_env", W(user=HELPER), RUNS, at(USER, HELPER)),
    Row("helper_user+oauth_env", W(shell=user(HELPER), options=USER_SOURCES), HELPER_WINS, {}, at(USER_ON, HELPER)),
    Row("helper_user+creds", W(user=HELPER, login="file"), RUNS, at(USER, HELPER)),
    Row("helper_user+apikey", W(user=HELPER, env=KEY, login="none"), SIGNED_OUT, at(USER, HELPER) | at(ENVIRONMENT, KEY)),
    Row(
        "helper_user+apikey",
        W(shell=user(HELPER), options=USER_SOURCES, exports=KEY),
        KEY_WINS,
        {},
        at(USER_ON, HELPER) | at(CHILD, KEY),
    ),
    Row("helper_user+authtoken", W(user=HELPER, env=TOKEN), RUNS, at(USER, HELPER) | at(ENVIRONMENT, TOKEN)),
    Row("helper_user+authtoken", W(options=flag(HELPER), exports=TOKEN), HELPER_WINS, {}, at(FLAG, HELPER) | at(CHILD, TOKEN)),
    Row("helper_project+oauth_env", W(project=HELPER), RUNS, at(PROJECT, HELPER), decisive=True),
    Row("helper_project+oauth_env", W(project=HELPER, options=PROJECT_SOURCES), HELPER_WINS, {}, at(PROJECT_ON, HELPER)),
    Row("helper_local+oauth_env", W(local=HELPER), RUNS, at(LOCAL, HELPER)),
    Row("helper_local+oauth_env", W(local=HELPER, options=LOCAL_SOURCES), HELPER_WINS, {}, at(LOCAL_ON, HELPER)),
    Row("helper_--settings+oauth_env", W(options=flag(HELPER)), HELPER_WINS, {}, at(FLAG, HELPER), decisive=True),
    Row("helper_fails+oauth_env", W(user={"apiKeyHelper": "exit 3"}), RUNS, at(USER, HELPER)),
    Row("helper_fails+oauth_env", W(options=flag({"apiKeyHelper": "exit 3"})), HELPER_WINS, {}, at(FLAG, HELPER)),
    Row("envblock_user_apikey+oauth_env", W(user=env(KEY)), RUNS, at(USER, KEY)),
    Row("envblock_user_apikey+creds", W(user=env(KEY), login="file"), RUNS, at(USER, KEY)),
    Row("envblock_project_apikey+oauth_env", W(project=env(KEY)), RUNS, at(PROJECT, KEY)),
    Row("envblock_project_apikey+oauth_env", W(project=env(KEY), options=PROJECT_SOURCES), KEY_WINS, {}, at(PROJECT_ON, KEY)),
    Row("envblock_local_apikey+oauth_env", W(local=env(KEY)), RUNS, at(LOCAL, KEY)),
    Row("envblock_local_apikey+oauth_env", W(local=env(KEY), options=LOCAL_SOURCES), KEY_WINS, {}, at(LOCAL_ON, KEY)),
    Row("envblock_--settings_apikey+oauth_env", W(options=flag(env(KEY))), KEY_WINS, {}, at(FLAG, KEY)),
    Row("envblock_user_authtoken+oauth_env", W(user=env(TOKEN)), RUNS, at(USER, TOKEN)),
    Row("envblock_user_authtoken+oauth_env", W(options=flag(env(TOKEN))), TOKEN_WINS, {}, at(FLAG, TOKEN)),
    Row("envblock_user_oauth_other+oauth_env", W(user=env(LOGIN)), RUNS, at(USER, LOGIN)),
    Row("envblock_user_oauth_other+oauth_env", W(options=flag(env(LOGIN))), UNSAFE, {}, at(FLAG, LOGIN)),
    Row("envblock_user_oauth_other+oauth_env", W(exports=LOGIN), UNSAFE, {}, at(CHILD, LOGIN)),
    Row("envblock_user_baseurl+oauth_env", W(user=env(ELSEWHERE)), RUNS, at(USER, ELSEWHERE)),
    Row("envblock_user_baseurl+oauth_env", W(options=flag(env(ELSEWHERE))), ADDRESS, {}, at(FLAG, ELSEWHERE), decisive=True),
    Row("envblock_project_baseurl+oauth_env", W(project=env(ELSEWHERE)), RUNS, at(PROJECT, ELSEWHERE)),
    Row(
        "envblock_project_baseurl+oauth_env",
        W(project=env(ELSEWHERE), options=PROJECT_SOURCES),
        ADDRESS,
        {},
        at(PROJECT_ON, ELSEWHERE),
    ),
    # oneseat switches all sources off by itself.
    Row("envblock_project_apikey+oauth+setting-sources=", W(project=env(KEY)), RUNS, at(PROJECT, KEY)),
    Row("envblock_user_apikey+oauth+setting-sources=", W(user=env(KEY)), RUNS, at(USER, KEY)),
    Row("helper_user+oauth+setting-sources=", W(user=HELPER), RUNS, at(USER, HELPER)),
    Row(
        "envblock_project_apikey+oauth+sources=user",
        W(project=env(KEY), options=USER_SOURCES),
        UNSAFE,
        at(PROJECT, KEY),
        why="command line",
    ),
    Row("bare+oauth_env", W(options=("--bare",)), UNSAFE, why="`--bare`"),
    Row("bare+apikey", W(options=("--bare",), exports=KEY, login="none"), KEY_WINS, {}, at(CHILD, KEY)),
    Row("bare+apikey+oauth", W(options=("--bare",), exports=KEY), KEY_WINS, {}, at(CHILD, KEY)),
    Row("bare+authtoken", W(options=("--bare",), exports=TOKEN, login="none"), TOKEN_WINS, {}, at(CHILD, TOKEN)),
    Row("bare+creds", W(options=("--bare",), login="file"), UNSAFE, why="`--bare`"),
    Row("bare+helper_user+oauth", W(options=("--bare",), shell=user(HELPER)), UNSAFE, why="`--bare`"),
    Row("bare+helper_--settings", W(options=("--bare", *flag(HELPER)), login="none"), HELPER_WINS, {}, at(FLAG, HELPER)),
    Row("simple_env+oauth", W(env=SIMPLE), RUNS, at(ENVIRONMENT, SIMPLE)),
    Row("simple_env+oauth", W(exports=SIMPLE), UNSAFE, {}, at(CHILD, SIMPLE)),
    Row("bedrock+oauth", W(env=BEDROCK), RUNS, at(ENVIRONMENT, BEDROCK)),
    Row("bedrock+oauth", W(exports=BEDROCK), CLOUD, {}, at(CHILD, BEDROCK), decisive=True),
    Row("vertex+oauth", W(env=VERTEX), RUNS, at(ENVIRONMENT, VERTEX)),
    Row("vertex+oauth", W(exports=VERTEX), CLOUD, {}, at(CHILD, VERTEX)),
    Row("foundry+oauth", W(env=FOUNDRY), RUNS, at(ENVIRONMENT, FOUNDRY)),
    Row("foundry+oauth", W(exports=FOUNDRY), CLOUD, {}, at(CHILD, FOUNDRY)),
    Row("bedrock=0+oauth", W(env={"CLAUDE_CODE_USE_BEDROCK": "0"}), RUNS),
    Row("bedrock=0+oauth", W(exports={"CLAUDE_CODE_USE_BEDROCK": "0"}), RUNS),
    Row("envblock_project_bedrock+oauth", W(project=env(BEDROCK)), RUNS, at(PROJECT, BEDROCK)),
    Row("envblock_project_bedrock+oauth", W(project=env(BEDROCK), options=PROJECT_SOURCES), CLOUD, {}, at(PROJECT_ON, BEDROCK)),
    Row("anthropic_aws+oauth", W(env=AWS), RUNS, at(ENVIRONMENT, AWS)),
    Row("anthropic_aws+oauth", W(exports=AWS), CLOUD, {}, at(CHILD, AWS)),
    Row("mantle+oauth", W(env=MANTLE), RUNS, at(ENVIRONMENT, MANTLE)),
    Row("mantle+oauth", W(exports=MANTLE), CLOUD, {}, at(CHILD, MANTLE)),
    Row("gateway+oauth", W(env=GATEWAY_ON), RUNS, at(ENVIRONMENT, GATEWAY_ON)),
    Row("gateway+oauth", W(exports=GATEWAY_ON), GATEWAY, {}, at(CHILD, GATEWAY_ON)),
    # A folder of the owner's choice is the owner's seat; one that a script chose is not.
    Row("config_dir_creds", W(env={"CLAUDE_CONFIG_DIR": "$OTHER"}), RUNS),
    Row("config_dir_creds", W(exports={"CLAUDE_CONFIG_DIR": "$OTHER"}, login="file"), UNSAFE, {}, {"CLAUDE_CONFIG_DIR": CHILD}),
    Row("config_dir_empty+home_creds", W(env={"CLAUDE_CONFIG_DIR": "/nowhere"}, login="none"), SIGNED_OUT),
    Row("config_dir_empty+home_creds", W(exports={"CLAUDE_CONFIG_DIR": "/nowhere"}), UNSAFE, {}, {"CLAUDE_CONFIG_DIR": CHILD}),
    Row("custom_headers+oauth", W(env=KEY_HEADER), RUNS, at(ENVIRONMENT, KEY_HEADER), decisive=True),
    Row("custom_headers+oauth", W(exports=KEY_HEADER), HEADERS, {}, at(CHILD, KEY_HEADER)),
    Row("customhdr_auth+oauth", W(env=LOGIN_HEADER), RUNS, at(ENVIRONMENT, LOGIN_HEADER)),
    Row("customhdr_auth+oauth", W(exports=LOGIN_HEADER), HEADERS, {}, at(CHILD, LOGIN_HEADER)),
    Row("oauth_empty_string", W(env={"CLAUDE_CODE_OAUTH_TOKEN": ""}, login="none"), SIGNED_OUT),
    Row("oauth_empty_string", W(exports={"CLAUDE_CODE_OAUTH_TOKEN": ""}), UNSAFE, why="`CLAUDE_CODE_OAUTH_TOKEN` is missing"),
    Row("apikey_empty+oauth", W(env={"ANTHROPIC_API_KEY": ""}), RUNS),
    Row("apikey_empty+oauth", W(exports={"ANTHROPIC_API_KEY": ""}), RUNS),
    Row("managed_by_host+apikey+oauth", W(env=MANAGED_BY_HOST | KEY), RUNS, at(ENVIRONMENT, MANAGED_BY_HOST, KEY)),
    Row("managed_by_host+apikey+oauth", W(exports=MANAGED_BY_HOST | KEY), KEY_WINS, {}, at(CHILD, MANAGED_BY_HOST, KEY)),
    Row("profile+oauth", W(env=PROFILE), RUNS, at(ENVIRONMENT, PROFILE)),
    Row("profile+oauth", W(exports=PROFILE), UNSAFE, {}, at(CHILD, PROFILE)),
    Row("federation+oauth", W(env=FEDERATION), RUNS, at(ENVIRONMENT, FEDERATION)),
    Row("federation+oauth", W(exports=FEDERATION), UNSAFE, {}, at(CHILD, FEDERATION)),
    Row("creds_no_inference_scope", W(login="file", shell=stored("user:profile")), SIGNED_OUT),
    Row("forceLogin_console+oauth", W(user={"forceLoginMethod": "console"}), RUNS),
    Row("forceLogin_console+oauth", W(options=flag({"forceLoginMethod": "console"})), UNSAFE, why="command line"),
)  # fmt: skip

#: What no recording covers: the CLI's state file, which applies whatever the flags are, and scripts that do more than add.
BEYOND = (
    Row("state-key", W(shell=state(env(KEY))), KEY_WINS, {}, at(STATE, KEY)),
    Row("state-login-key", W(shell=state({"primaryApiKey": PLANTED}), login="none"), KEY_WINS, {}, {"primaryApiKey": STATE}),
    Row("state-address", W(shell=state(env(ELSEWHERE))), ADDRESS, {}, at(STATE, ELSEWHERE)),
    Row("state-headers", W(shell=state(env(KEY_HEADER))), HEADERS, {}, at(STATE, KEY_HEADER)),
    Row("flag-headers", W(options=flag(env(KEY_HEADER))), HEADERS, {}, at(FLAG, KEY_HEADER)),
    Row("address", W(env=ELSEWHERE), RUNS, at(ENVIRONMENT, ELSEWHERE)),
    Row("address", W(exports=ELSEWHERE), ADDRESS, {}, at(CHILD, ELSEWHERE)),
    Row("harmless-script", W(shell='PATH="$PATH:/opt/tools" "$CLI" "$@"; exit'), RUNS),
    Row(
        "waiting-script",
        W(shell=f'ANTHROPIC_CUSTOM_HEADERS="x: {PLANTED}" "$CLI" "$@"; exit'),
        HEADERS,
        {},
        at(CHILD, KEY_HEADER),
    ),
    # A script that starts the CLI with an environment of its own, as sandboxes and other users' accounts do.
    Row(
        "clean-environment",
        W(
            shell='exec env -i PATH="$PATH" HOME="$HOME" CLAUDE_CONFIG_DIR="$CLAUDE_CONFIG_DIR" HTTPS_PROXY="$HTTPS_PROXY"'
            ' NO_PROXY="$NO_PROXY" CLAUDE_CODE_OAUTH_TOKEN="$CLAUDE_CODE_OAUTH_TOKEN" ANTHROPIC_BASE_URL="$ANTHROPIC_BASE_URL"'
            ' "$CLI" "$@"'
        ),
        UNSAFE,
        why="`ONESEAT_RUN_ID` is missing or changed",
    ),
    Row("no-marker", W(shell="unset ONESEAT_RUN_ID", exports=KEY_HEADER), HEADERS, {}, at(CHILD, KEY_HEADER)),
    Row("other-marker", W(exports={"ONESEAT_RUN_ID": "another"}), UNSAFE, why="`ONESEAT_RUN_ID` is missing or changed"),
    Row("no-folder", W(shell="unset CLAUDE_CONFIG_DIR"), UNSAFE, why="`CLAUDE_CONFIG_DIR` is missing"),
    Row("no-login", W(shell="unset CLAUDE_CODE_OAUTH_TOKEN"), UNSAFE, why="`CLAUDE_CODE_OAUTH_TOKEN` is missing"),
)  # fmt: skip
