"""The effective settings of the CLI that could change who pays, from its answer to `config/read`.

The answer contains values, including credentials of MCP servers. This module passes on names only.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from oneseat.contract.facts import CredentialSource, Scope

from .login import ADDRESSES

_VENDOR = "openai"
#: The scope of a setting, by the CLI's name for the configuration layer.
_SCOPES: dict[str, Scope] = {
    "user": "user_settings",
    "project": "project_settings",
    "sessionFlags": "child",
}
_MANAGED: Scope = "managed_settings"


class Layer(msgspec.Struct, frozen=True, rename="camel"):
    """One settings file, or the command line. ``disabled_reason`` says why it has no effect."""

    name: dict[str, Any] = {}
    disabled_reason: str | None = None


class Origin(msgspec.Struct, frozen=True):
    """Where one setting comes from."""

    name: dict[str, Any] = {}


class Settings(msgspec.Struct, frozen=True, rename="camel"):
    """The answer to `config/read`."""

    config: dict[str, Any] = {}
    origins: dict[str, Origin] = {}
    layers: list[Layer] = []

    @property
    def model_provider(self) -> str | None:
        """The model provider that the CLI would use; ``None`` for the vendor."""
        named = self.config.get("model_provider")
        return None if named is None else str(named)

    def servers(self) -> tuple[str, ...]:
        """The MCP servers that the CLI would start by itself."""
        named = self.config.get("mcp_servers")
        entries = named.items() if isinstance(named, dict) else ()
        return tuple(
            str(name)
            for name, entry in entries
            if not (isinstance(entry, dict) and entry.get("enabled") is False)
        )

    def sources(self, own: dict[str, str]) -> tuple[CredentialSource, ...]:
        """The settings that could change who pays; ``own`` are the base URLs that oneseat set."""
        return (*self._addresses(own), *self._projects())

    def _addresses(self, own: dict[str, str]) -> Iterator[CredentialSource]:
        for name in ADDRESSES:
            value = self.config.get(name)
            if value is not None and value != own.get(name):
                yield self._source(name)
        providers = self.config.get("model_providers")
        if isinstance(providers, dict) and _VENDOR in providers:
            # A redefinition of the vendor's entry: another base URL under the vendor's name.
            yield self._source(f"model_providers.{_VENDOR}")

    def _projects(self) -> Iterator[CredentialSource]:
        for layer in self.layers:
            if layer.name.get("type") == "project" and layer.disabled_reason is None:
                place = str(layer.name.get("dotCodexFolder", "the working directory"))
                yield CredentialSource(name="config.toml", kind="mode", scope="project_settings", place=place)

    def _source(self, name: str) -> CredentialSource:
        found = (origin for key, origin in self.origins.items() if key == name or key.startswith(f"{name}."))
        layer = next(found, Origin()).name
        scope = _SCOPES.get(str(layer.get("type")), _MANAGED)
        place = layer.get("file") or layer.get("dotCodexFolder") or layer.get("type") or "settings in force"
        return CredentialSource(name=name, kind="base_url", scope=scope, place=str(place))
