"""Use the AI assistants you already pay for from your own scripts, with the wallet checked before every run.

    import oneseat

    result = oneseat.run("Explain this error: E2BIG")
    print(result.text, result.receipt.wallet)

Nothing is imported before it is used, so ``import oneseat`` costs next to nothing.
"""

from __future__ import annotations

from .version import __version__

#: Type checkers know this name as true; importing it from ``typing`` would take as long as all the rest.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from oneseat.app.library import App as App
    from oneseat.app.library import connect as connect
    from oneseat.app.library import in_project as in_project
    from oneseat.app.library import make_request as make_request
    from oneseat.app.library import read_attachment as read_attachment
    from oneseat.app.library import run as run
    from oneseat.contract import events as events
    from oneseat.contract.errors import ErrorInfo as ErrorInfo
    from oneseat.contract.errors import InternalError as InternalError
    from oneseat.contract.errors import OneseatError as OneseatError
    from oneseat.contract.errors import UsageError as UsageError
    from oneseat.contract.events import Question as Question
    from oneseat.contract.receipt import Receipt as Receipt
    from oneseat.contract.receipt import RunResult as RunResult
    from oneseat.contract.request import Attachment as Attachment
    from oneseat.contract.request import Purpose as Purpose
    from oneseat.contract.request import Request as Request
    from oneseat.contract.request import Tools as Tools
    from oneseat.engine.app import RunStream as RunStream
    from oneseat.rules.inputs.functions import tool as tool

    from .contract.receipt import RunFailed as RunFailed
    from .contract.request import Permission as Permission

_HOME_OF = {
    "App": "oneseat.app.library",
    "Attachment": "oneseat.contract.request",
    "ErrorInfo": "oneseat.contract.errors",
    "InternalError": "oneseat.contract.errors",
    "OneseatError": "oneseat.contract.errors",
    "Permission": "oneseat.contract.request",
    "Purpose": "oneseat.contract.request",
    "Question": "oneseat.contract.events",
    "Receipt": "oneseat.contract.receipt",
    "Request": "oneseat.contract.request",
    "RunFailed": "oneseat.contract.receipt",
    "RunResult": "oneseat.contract.receipt",
    "RunStream": "oneseat.engine.app",
    "Tools": "oneseat.contract.request",
    "UsageError": "oneseat.contract.errors",
    "connect": "oneseat.app.library",
    "in_project": "oneseat.app.library",
    "make_request": "oneseat.app.library",
    "read_attachment": "oneseat.app.library",
    "run": "oneseat.app.library",
    "tool": "oneseat.rules.inputs.functions",
}
__all__ = ["__version__", "events", *sorted(_HOME_OF)]  # noqa: PLE0604 - a literal and the table's keys, all text


def __getattr__(name: str) -> Any:
    if name != "events" and name not in _HOME_OF:
        raise AttributeError(f"module 'oneseat' has no attribute {name!r}")
    from importlib import import_module  # noqa: PLC0415 - no quick answer needs it, and it takes as long as they may

    if name == "events":
        return import_module("oneseat.contract.events")
    value = getattr(import_module(_HOME_OF[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
