"""A gateway in this process, with clients of every kind and the vendors' SDKs to ask it."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import anthropic
import httpx2
import openai

from oneseat.app.gateway.clients import add_client
from oneseat.app.wiring import opened_app
from oneseat.contract.gateway.clients import ApiClient
from oneseat.contract.gateway.http import HttpOptions
from oneseat.contract.request import PurposeWords
from oneseat.installation import Installation
from oneseat.serve.gateway.server import Gateway
from oneseat.testing import Simulator

OWN = PurposeWords(asked_by="me", reader="me", work_of="me")
UNDECLARED = PurposeWords(asked_by="unknown", reader="unknown", work_of="unknown")


def ask(*texts: str) -> list[dict[str, Any]]:
    """A conversation of texts, the user's first."""
    return [{"role": ("user", "assistant")[number % 2], "content": text} for number, text in enumerate(texts)]


class Served:
    """A gateway that listens, and the ways to ask it as a client of its owner's own."""

    def __init__(self, here: Installation, gateway: Gateway) -> None:
        self.here = here
        self.gateway = gateway
        self.url = gateway.address
        self._clients: list[Any] = []
        self._plain = httpx2.AsyncClient(base_url=self.url, timeout=60.0, verify=False)
        self.key = self.add("own", OWN)

    @cached_property
    def anthropic(self) -> Any:
        """Anthropic's client with this client's key."""
        return self.as_anthropic(self.key)

    @cached_property
    def openai(self) -> Any:
        """OpenAI's client with this client's key."""
        return self.as_openai(self.key)

    def add(self, name: str, purpose: PurposeWords, **declared: Any) -> str:
        """The key of another client."""
        return add_client(self.here, ApiClient(name=name, purpose=purpose, **declared)).key

    def as_anthropic(self, key: str) -> Any:
        """Anthropic's own client, untyped: tests also send what its types do not allow."""
        self._clients.append(anthropic.AsyncAnthropic(api_key=key, base_url=self.url, max_retries=0))
        return self._clients[-1]

    def as_openai(self, key: str) -> Any:
        """OpenAI's own client, likewise."""
        self._clients.append(openai.AsyncOpenAI(api_key=key, base_url=f"{self.url}/v1", max_retries=0))
        return self._clients[-1]

    async def close(self) -> None:
        """Let go of the SDKs' connections."""
        await self._plain.aclose()
        for client in self._clients:
            await client.close()

    async def send(self, method: str, path: str, *, key: str | None = "", **more: Any) -> httpx2.Response:
        """A plain request; ``key`` is this client's unless another one or none is named."""
        headers = dict(more.pop("headers", {}))
        if key is not None:
            headers["authorization"] = f"Bearer {key or self.key}"
        return await self._plain.request(method, path, headers=headers, **more)


def installation(root: Path, cli: Path, simulator_url: str, settings: str = "") -> Installation:
    """A scratch home whose runs go to a simulator."""
    folder = root / "home" / "config"
    folder.mkdir(parents=True)
    (folder / "oneseat.toml").write_text(settings, "utf-8")
    env = {
        "PATH": os.environ["PATH"],
        "HOME": str(root),
        "ONESEAT_HOME": str(root / "home"),
        "ONESEAT_CLAUDE_PATH": str(cli),
        "ONESEAT_SIMULATOR_URL": simulator_url,
    }
    return Installation(env, "/")


@asynccontextmanager
async def served(here: Installation, **options: Any) -> AsyncIterator[Served]:
    """A gateway on a free port."""
    async with AsyncExitStack() as stack:
        app = await stack.enter_async_context(opened_app(here))
        gateway = Gateway(here, app, HttpOptions(port=0, **options))
        await stack.enter_async_context(gateway.serving())
        made = Served(here, gateway)
        stack.push_async_callback(made.close)
        yield made


def sent(simulator: Simulator) -> list[list[dict[str, Any]]]:
    """The messages of each request that asked the model for an answer, without the CLI's own words about the machine."""
    return [
        [message for message in request.body["messages"] if message["role"] != "system"]
        for request in simulator.messages()
    ]
