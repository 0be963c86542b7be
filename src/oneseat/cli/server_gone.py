"""What can be said of a run whose server is gone: what the ledger says, once its books are closed."""

from __future__ import annotations

import msgspec

from oneseat.app import Installation
from oneseat.app.runs import find_result
from oneseat.contract.errors import ErrorInfo, OneseatError
from oneseat.contract.receipt import RunResult

from .views.receipt import nothing_ran


def result_of(run_id: str, pid: int) -> RunResult:
    """The result of a run of the server with this pid. Reading the ledger ends what the server left running."""
    try:
        stored = find_result(Installation(), run_id)
    except OneseatError:  # it did not come to be recorded
        stored = None
    if stored is not None and stored.status != "cancelled":
        # It had ended; only its way to us was cut.
        return stored
    error = ErrorInfo(
        code="provider.server_gone",
        message=f"The server ended before the run did: `{pid}`",
        hint=f"See what is known of the run: `oneseat show {run_id}`",
        whose_turn="provider",
    )
    return msgspec.structs.replace(stored or nothing_ran(error), run_id=run_id, status="failed", error=error)
