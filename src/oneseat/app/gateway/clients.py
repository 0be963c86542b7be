"""The clients of the gateway: add, list, rotate, remove, and recognise one by its key."""

from __future__ import annotations

import contextlib
import hashlib
import secrets
from collections.abc import Iterator
from difflib import get_close_matches
from hmac import compare_digest

import msgspec

from oneseat.app import policy
from oneseat.app.requests import choose_tools
from oneseat.app.settings import find_project
from oneseat.contract.errors import ErrorInfo, UsageError
from oneseat.contract.gateway.clients import ApiClient, ClientList, NewKey, RemovedClient, StoredClient
from oneseat.host.clock import SystemClock
from oneseat.host.environment import nesting_depth
from oneseat.host.locks import lock_file, unlock_file
from oneseat.host.paths import home_error
from oneseat.installation import Installation
from oneseat.settings.tables import PLAIN_NAME
from oneseat.stores.clients import ClientFile

__all__ = ["ClientBook", "add_client", "list_clients", "remove_client", "rotate_client"]

#: The rule that doubts requests over a vendor's API on this machine, and what of them it doubts.
_LOCAL_API = ("Y11", {"local_api": "yes"})
_PREFIX = "osk_"


class ClientBook:
    """Recognises clients. What was added or removed meanwhile counts from the next request on."""

    def __init__(self, here: Installation) -> None:
        self._file = ClientFile(here.paths.config_dir)

    def find(self, key: str) -> ApiClient | None:
        """The client that holds this key. Raises ``UsageError`` ``usage.clients_file``."""
        digest = _digest(key)
        found = self._file.read().get(digest)
        # The look-up compares digests of what nobody can choose a prefix of; this one takes the same time for every key.
        return found.client if found is not None and compare_digest(found.digest, digest) else None


def add_client(here: Installation, client: ApiClient) -> NewKey:
    """Add a client and make its key. Where it may use the plan for its owner's own requests, its owner's word is kept.

    Raises ``UsageError``: ``usage.arguments`` for what does not fit together, ``usage.not_confirmed`` inside a run, and those of
    the settings.
    """
    _check(here, client)
    with _changing(here) as (file, clients):
        if client.name in clients:
            raise _arguments(f"There is a client of this name: `{client.name}`", "rotate", client.name)
        key = _new_key()
        client = msgspec.structs.replace(
            client, created_at=SystemClock().utc_iso(), confirmation=_confirm(here, client)
        )
        stored = StoredClient(client=client, digest=_digest(key))
        file.write((*clients.values(), stored))
    return NewKey(client=client.name, key=key)


def list_clients(here: Installation) -> ClientList:
    """Every client by name. Raises ``UsageError`` ``usage.clients_file``."""
    found = ClientFile(here.paths.config_dir).read().values()
    return ClientList(clients=tuple(sorted((each.client for each in found), key=lambda it: it.name)))


def rotate_client(here: Installation, name: str) -> NewKey:
    """Give a client another key; the old one is refused from now on. Raises ``UsageError`` ``usage.unknown_client``."""
    with _changing(here) as (file, clients):
        stored, key = _named(clients, name), _new_key()
        client = msgspec.structs.replace(stored.client, rotated_at=SystemClock().utc_iso())
        clients[name] = StoredClient(client=client, digest=_digest(key))
        file.write(tuple(clients.values()))
    return NewKey(client=name, key=key)


def remove_client(here: Installation, name: str) -> RemovedClient:
    """Remove a client and the confirmation that came with it. Raises ``UsageError`` ``usage.unknown_client``."""
    with _changing(here) as (file, clients):
        stored = _named(clients, name)
        del clients[name]
        file.write(tuple(clients.values()))
    if stored.client.confirmation is not None:
        with contextlib.suppress(UsageError):  # its owner has revoked it already
            policy.revoke(here, stored.client.confirmation)
    return RemovedClient(removed=name)


def _check(here: Installation, client: ApiClient) -> None:
    if nesting_depth(here.env) > 0:
        # A model that adds a client would give itself a way to spend that outlives its run.
        raise UsageError(
            ErrorInfo(
                code="usage.not_confirmed",
                message="This command was started inside a run; only the owner can add a client",
                hint="Run it yourself in a terminal",
            )
        )
    if not PLAIN_NAME.fullmatch(client.name):
        raise _arguments(
            f"Not a name for a client: `{client.name}`\n  letters, digits, dots, dashes, underscores"
        )
    if client.role is not None and client.role not in here.routes.roles:
        raise UsageError(ErrorInfo(code="usage.unknown_role", message=f"Unknown role: `{client.role}`"))
    if client.project is not None:
        find_project(here, client.project)
    if choose_tools(client.tools).names and client.project is None:
        raise _arguments(
            f"Tools need a project, whose directory they work in: `{client.tools}`\n"
            "  a request never chooses a directory"
        )


def _confirm(here: Installation, client: ApiClient) -> str | None:
    """Keep the owner's word that nobody else writes what this client sends; ``None`` where nothing has to be confirmed."""
    own = client.purpose.asked_by in {"me", "automation"}
    if not own or (client.wallets and "plan" not in client.wallets):
        return None
    rule, doubted = _LOCAL_API
    words = f"oneseat clients add {client.name}: its owner writes its requests, and only it holds its key"
    try:
        return policy.confirm(here, rule, doubted, words, client=client.name).id
    except UsageError as error:
        if error.info.code != "usage.bad_job_class":
            raise
        return None  # a pack without this doubt


@contextlib.contextmanager
def _changing(here: Installation) -> Iterator[tuple[ClientFile, dict[str, StoredClient]]]:
    """The file and its clients by name; nobody else changes it meanwhile."""
    here.paths.ensure()
    folder = here.paths.config_dir
    lock = folder / "clients.lock"
    try:
        descriptor = lock_file(lock)
        if descriptor is None:
            raise _arguments("Another command is changing the clients just now")
        try:
            file = ClientFile(folder)
            yield file, {each.client.name: each for each in file.read().values()}
        finally:
            unlock_file(descriptor, lock)
    except OSError as error:
        raise home_error(error, folder) from None


def _named(clients: dict[str, StoredClient], name: str) -> StoredClient:
    if name in clients:
        return clients[name]
    near = get_close_matches(name, clients, n=1)
    raise UsageError(
        ErrorInfo(
            code="usage.unknown_client",
            message=f"Unknown client: `{name}`\n  clients of the server: {', '.join(sorted(clients)) or 'none'}",
            hint=f"Did you mean `{near[0]}`?" if near else "See them all: `oneseat clients list`",
        )
    )


def _new_key() -> str:
    return _PREFIX + secrets.token_urlsafe(32)


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()


def _arguments(message: str, command: str | None = None, name: str = "") -> UsageError:
    hint = None if command is None else f"Give it another key: `oneseat clients {command} {name}`"
    return UsageError(ErrorInfo(code="usage.arguments", message=message, hint=hint))
