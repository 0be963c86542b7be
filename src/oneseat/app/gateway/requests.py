"""A client's chat request as a run: who may serve the model it names, with the purpose, tools and budgets of the client."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from typing import NamedTuple

import msgspec

from oneseat.app.requests import check_text, choose_tools, in_project, make_request
from oneseat.contract.budgets import Amounts
from oneseat.contract.errors import ErrorInfo, UsageError
from oneseat.contract.gateway.chat import Chat
from oneseat.contract.gateway.clients import ApiClient
from oneseat.contract.providers import CATALOGUE, ROWS
from oneseat.contract.request import Entry, Function, Request
from oneseat.contract.routing import PaidFrom
from oneseat.installation import Installation
from oneseat.rules.budgets.meter import input_tokens
from oneseat.rules.policy.harnesses import harness_of

from .history import fresh_prompt

__all__ = ["Target", "build_request", "count_tokens", "find_target", "model_names"]

#: Names of the official CLI that stand for its newest model of a kind.
SHORT_NAMES = ("sonnet", "opus", "haiku")
_KEYS: tuple[PaidFrom, ...] = ("api_credits", "api_key")
#: How long a run waits for another one of its client's project, in seconds.
_PROJECT_WAIT_S = 300.0


class Target(NamedTuple):
    """What a model name asks for, in the words of a ``Request``."""

    model: str | None = None
    role: str | None = None
    provider: str | None = None
    key: str | None = None


def find_target(here: Installation, client: ApiClient, name: str) -> Target:
    """What a model name of a request asks for. A client with a role is served by that role, whatever it names.

    Raises ``UsageError`` ``usage.unknown_model`` with the nearest name that there is.
    """
    if client.role is not None:
        return Target(role=client.role)
    found = _of_prefix(here, name) or _by_vendor(here, name)
    if found is None:
        near = get_close_matches(name, list(model_names(here, client)), n=1, cutoff=0.4)
        raise UsageError(
            ErrorInfo(
                code="usage.unknown_model",
                message=f"Unknown model: `{name}`\n  see the models of this server: GET /v1/models",
                hint=f"Did you mean `{near[0]}`?" if near else None,
            )
        )
    return found


def model_names(here: Installation, client: ApiClient) -> Iterator[str]:
    """The names that `/v1/models` lists for a client; full names of a vendor's models are accepted besides."""
    if client.role is not None:
        yield f"role:{client.role}"
        return
    yield from SHORT_NAMES
    yield "codex"
    yield from (f"role:{name}" for name in here.routes.roles)
    yield from (f"{key.provider}/{key.model}" for key in here.keys.values() if key.model is not None)


def build_request(
    here: Installation,
    client: ApiClient,
    target: Target,
    prompt: str,
    *,
    system: str | None = None,
    functions: Iterable[Function] = (),
    vendor_api: bool = True,
    api_only: bool = False,
) -> Request:
    """A run of a client. What it may do was declared when the client was added; the request adds words, never rights.

    ``vendor_api`` is whether it came over a vendor's API; ``api_only`` keeps it from every plan. Raises ``UsageError`` like
    ``make_request``.
    """
    folder = here.paths.state_dir / "gateway"
    folder.mkdir(mode=0o700, exist_ok=True)
    request = make_request(
        here,
        prompt,
        system=check_text(system, "the instructions") if system else None,
        cwd=folder,
        purpose=client.purpose.purpose(),
        tools=choose_tools(client.tools),
        **target._asdict(),
    )
    if client.project is not None:
        request = in_project(here, request, client.project, new_session=True, wait_s=_PROJECT_WAIT_S)
    return msgspec.structs.replace(
        request,
        purpose=client.purpose.purpose(),
        client=client.name,
        client_budget=Amounts(day_usd=client.day_budget_usd, month_usd=client.month_budget_usd),
        functions=tuple(functions),
        may_pay=_KEYS if api_only else _paid_from(client),
        entry=_entry(here, client, system, vendor_api=vendor_api, api_only=api_only),
    )


def count_tokens(here: Installation, client: ApiClient, chat: Chat) -> int:
    """How many tokens a request sends, about: the vendor counts only what it is sent. Raises ``UsageError`` like a run of it."""
    target = find_target(here, client, chat.model)
    tools = msgspec.json.encode(chat.tools).decode() if chat.tools else ""
    request = build_request(here, client, target, fresh_prompt(chat) + tools, system=chat.system)
    attached = tuple(each for turn in chat.turns for each in turn.attachments)
    return input_tokens(msgspec.structs.replace(request, attachments=attached))


def _paid_from(client: ApiClient) -> tuple[PaidFrom, ...]:
    if not client.wallets:
        return ()
    plan: tuple[PaidFrom, ...] = ("plan",) if "plan" in client.wallets else ()
    return (*plan, *(_KEYS if "api_key" in client.wallets else ()))


def _entry(
    here: Installation, client: ApiClient, system: str | None, *, vendor_api: bool, api_only: bool
) -> Entry:
    on_plan = not api_only and (not client.wallets or "plan" in client.wallets)
    alone = here.policy_environment.humans == 1 and not api_only
    return Entry(
        exposure="unknown" if api_only else "loopback",
        client_secret="yes",  # noqa: S106 - a word about secrets
        reachable_by="owner" if alone else "unknown",
        local_api="yes" if vendor_api else "no",
        # What a key pays may be written by any program.
        harness=harness_of(system) if on_plan else "official_cli_unmodified",
    )


def _of_prefix(here: Installation, name: str) -> Target | None:
    kind, colon, role = name.partition(":")
    if kind == "role" and colon:
        return Target(role=role) if role in here.routes.roles else None
    provider, slash, model = name.partition("/")
    if not slash or not model:
        return None
    if provider in ROWS:
        return Target(provider=provider, model=model)
    return Target(key=provider, model=model) if provider in here.keys else None


def _by_vendor(here: Installation, name: str) -> Target | None:
    if name in SHORT_NAMES:
        return Target(model=name)
    if name == "codex":
        return Target(provider="codex-cli")
    providers = {key.provider for key in here.keys.values()}
    for row in CATALOGUE:
        if row.model_prefix is None or not name.startswith(row.model_prefix):
            continue
        if row.name == here.settings.seat_provider:
            return Target(model=name)
        if row.kind == "seat" or row.name in providers:
            return Target(provider=row.name, model=name)
    return next((Target(key=key.name, model=name) for key in here.keys.values() if key.model == name), None)
