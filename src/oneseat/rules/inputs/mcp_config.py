"""Checks the standard ``{"mcpServers": {...}}`` configuration and fills in its variables before the official CLI gets it.

The CLI silently drops an entry that it does not understand, and versions differ in what they understand.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Literal
from urllib.parse import urlsplit

from oneseat.contract.errors import ErrorInfo, UsageError
from oneseat.contract.request import FUNCTIONS, McpServer

#: With a double underscore in a name, `mcp__a__b__c` could be a tool of two servers.
_NAME = re.compile(r"(?!.*__)[A-Za-z0-9][A-Za-z0-9_-]{0,31}", re.ASCII)
_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}", re.ASCII)
_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+", re.ASCII)
_KEYS = {"stdio": ("type", "command", "args", "env"), "url": ("type", "url", "headers")}
#: Shorter values are not secrets, and redacting them would garble every message.
_SHORTEST_SECRET = 4


def servers_of(
    config: object, source: str, env: Mapping[str, str], find: Callable[[str, str | None], str | None]
) -> tuple[McpServer, ...]:
    """The servers of a configuration from ``source``, a file name or the name of an argument.

    ``env`` fills ``${VAR}`` and ``${VAR:-default}``; ``find`` looks a program up in a search path. Raises ``UsageError``
    ``usage.bad_mcp_config`` for anything that could not work, before anything is started.
    """
    if not isinstance(config, Mapping) or not isinstance(config.get("mcpServers"), Mapping):
        raise _bad(source, "", 'it must be an object `{"mcpServers": {...}}`')
    unknown = [key for key in config if key != "mcpServers"]
    if unknown:
        raise _bad(source, "", f"unknown key `{_shown(unknown[0])}` beside `mcpServers`")
    return tuple(
        _Entry(source, name, value, env, find).server() for name, value in config["mcpServers"].items()
    )


class _Entry:
    """Reads one entry."""

    def __init__(
        self,
        source: str,
        name: object,
        value: object,
        env: Mapping[str, str],
        find: Callable[[str, str | None], str | None],
    ) -> None:
        self._source = source
        self._name = name if isinstance(name, str) else ""
        self._value: Mapping[str, Any] = value if isinstance(value, Mapping) else {}
        self._is_object = isinstance(value, Mapping)
        self._env = env
        self._find = find
        self._secrets: list[str] = []

    def server(self) -> McpServer:
        """The server. Raises ``UsageError`` for an invalid entry."""
        if not _NAME.fullmatch(self._name):
            raise self._bad(
                "a name is letters, digits, dashes and single underscores, at most 32 of them", self._name
            )
        if self._name == FUNCTIONS:
            raise self._bad("this name is taken: your own Python functions are offered under it")
        if not self._is_object:
            raise self._bad("its entry must be an object")
        kind = self._kind()
        self._check_keys(kind)
        return self._program() if kind == "stdio" else self._address(kind)

    def _kind(self) -> Literal["stdio", "http", "sse"]:
        kind = self._value.get("type")
        if kind is None and "url" in self._value:
            # Older CLIs wait for ever on such an entry, newer ones silently drop it.
            raise self._bad("an entry with a `url` must say its `type`: `http` or `sse`")
        match kind:
            case None | "stdio":
                return "stdio"
            case "http" | "sse":
                return "http" if kind == "http" else "sse"
            case _:
                raise self._bad(f"unknown type `{_shown(kind)}`; known types are stdio, http and sse")

    def _check_keys(self, kind: str) -> None:
        known = _KEYS["stdio" if kind == "stdio" else "url"]
        for key in self._value:
            if key not in known:
                raise self._bad(f"unknown key `{_shown(key)}`; a {kind} server has {', '.join(known)}")

    def _program(self) -> McpServer:
        environment = self._texts("env", lambda name: bool(name) and "=" not in name and "\0" not in name)
        arguments = self._value.get("args", [])
        if not isinstance(arguments, list | tuple):
            raise self._bad("`args` must be a list of texts")
        args = tuple(self._text(f"args[{index}]", value) for index, value in enumerate(arguments))
        named = self._text("command", self._value.get("command"))
        command = self._find(named, environment.get("PATH", self._env.get("PATH")))
        if command is None:
            raise self._bad(
                f"`command` cannot be started: `{self._clean(named)}` is neither an executable file's absolute path"
                " nor the name of a program in PATH"
            )
        return McpServer(
            name=self._name, command=command, args=args, env=environment, secrets=self._kept(environment)
        )

    def _address(self, kind: Literal["http", "sse"]) -> McpServer:
        headers = self._texts("headers", lambda name: _HEADER.fullmatch(name) is not None)
        url = self._text("url", self._value.get("url"))
        if not _is_web_address(url):
            raise self._bad("`url` must begin with `http://` or `https://` and name a host")
        parts = urlsplit(url)
        hidden = [*headers.values(), *filter(None, (parts.password, parts.query))]
        return McpServer(
            name=self._name,
            type=kind,
            url=url,
            headers=headers,
            secrets=self._kept(dict(enumerate(hidden))),
        )

    def _kept(self, values: Mapping[Any, str]) -> tuple[str, ...]:
        # Longest first: one secret may be part of another.
        secrets = {value for value in (*self._secrets, *values.values()) if len(value) >= _SHORTEST_SECRET}
        return tuple(sorted(secrets, key=len, reverse=True))

    def _texts(self, key: str, is_name: Callable[[str], bool]) -> dict[str, str]:
        table = self._value.get(key, {})
        if not isinstance(table, Mapping):
            raise self._bad(f"`{key}` must be an object of texts")
        for name in table:
            if not isinstance(name, str) or not is_name(name):
                raise self._bad(f"`{key}` has a name that cannot be used: `{_shown(name)}`")
        return {name: self._text(f"{key}.{name}", value) for name, value in table.items()}

    def _text(self, place: str, value: object) -> str:
        """A text with its variables filled in. Errors do not quote it: it may contain a secret."""
        if value is None:
            raise self._bad(f"it has no `{place}`")
        if not isinstance(value, str) or "\0" in value or (place in {"command", "url"} and not value.strip()):
            raise self._bad(f"`{place}` must be a text")
        return _VARIABLE.sub(lambda match: self._variable(match[1], match[2], place), value)

    def _variable(self, name: str, default: str | None, place: str) -> str:
        value = self._env.get(name) or default
        if value is None:
            raise self._bad(
                f"`{place}` needs the environment variable `{name}`, which is not set",
                hint=f"Set it: `export {name}=...`, or give a default: `${{{name}:-...}}`",
            )
        if _VARIABLE.search(value):
            raise self._bad(
                f"the value of `{name}` holds a `${{...}}`, which the official CLI would fill in again"
            )
        self._secrets.append(value)
        return value

    def _clean(self, text: str) -> str:
        for secret in self._kept({}):
            text = text.replace(secret, "[secret]")
        return _shown(text)

    def _bad(self, why: str, name: str | None = None, hint: str | None = None) -> UsageError:
        return _bad(self._source, self._name if name is None else name, why, hint)


def _is_web_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(host) and not any(char.isspace() for char in url)


def _shown(value: object) -> str:
    text = str(value)[:60]
    return "".join(char if char.isprintable() and char != "`" else "?" for char in text)


def _bad(source: str, name: str, why: str, hint: str | None = None) -> UsageError:
    server = f"server `{_shown(name)}`: " if name else ""
    return UsageError(
        ErrorInfo(
            code="usage.bad_mcp_config",
            message=f"The MCP configuration cannot be used: `{_shown_source(source)}`\n  {server}{why}",
            hint=hint,
        )
    )


def _shown_source(source: str) -> str:
    return "".join(char if char.isprintable() else "?" for char in source)
