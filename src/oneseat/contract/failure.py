"""The exception of a run that gave no trustworthy answer."""

from __future__ import annotations

from .errors import ErrorInfo, OneseatError
from .receipt import RunResult


class RunFailed(OneseatError):  # noqa: N818 - reads as what happened, like the event `Failed`
    """Raised when a run ended without an answer that can be trusted. ``result`` holds all that was received, and the receipt."""

    def __init__(self, info: ErrorInfo, result: RunResult) -> None:
        super().__init__(info)
        self.result = result

    def __reduce__(self) -> tuple[type[RunFailed], tuple[ErrorInfo, RunResult]]:  # type: ignore[override]
        # Without this, the error fails to unpickle when it crosses a process boundary.
        return type(self), (self.info, self.result)
