"""Checks answers against their schemas without ever holding up the event loop."""

from __future__ import annotations

from typing import Any

import msgspec

from oneseat.contract.errors import OneseatError
from oneseat.host import workers
from oneseat.rules.inputs import schemas

__all__ = ["check_answer"]

#: How long a check may take, in seconds. One of an ordinary answer takes a hundredth of a second.
_LIMIT_S = 10.0


async def check_answer(schema: dict[str, Any], value: object) -> list[str]:
    """The errors of ``value`` under ``schema``, as ``schemas.schema_errors``.

    Raises ``OneseatError`` ``incomplete.schema_unchecked`` where that cannot be found out in time.
    """
    if schemas.is_quick(schema, value):
        return schemas.schema_errors(schema, value)
    try:
        answer = await workers.call(
            f"{schemas.__name__}:encoded_errors", msgspec.json.encode([schema, value]), _LIMIT_S
        )
        return msgspec.json.decode(answer, type=list[str])
    except TimeoutError:
        raise OneseatError(schemas.unchecked(f"it takes longer than {_LIMIT_S:g} s")) from None
    except (workers.WorkerError, msgspec.MsgspecError, RecursionError) as error:
        raise OneseatError(schemas.unchecked(str(error))) from None
