"""The background tasks of a turn that were started and not reported as ended."""

from __future__ import annotations

from . import wire

#: The states of a running task. Any other state ends it: the CLI also says `completed` of a killed one.
_GOING_ON = {None, "pending", "running"}


class Tasks:
    """Commands and agents that the CLI runs beside the conversation, by id, with what each is for."""

    def __init__(self) -> None:
        self._open: dict[str, str] = {}

    def take(self, line: wire.SystemLine) -> bool:
        """Take note of a line about a task; false when it is about something else."""
        name = line.task_id or ""
        if line.subtype == "task_started":
            self._open[name] = line.description or name
        elif line.subtype == "task_updated":
            self._ended(name, line.patch.status if line.patch is not None else None)
        elif line.subtype == "task_notification":
            self._ended(name, line.status)
        else:
            return False
        return True

    def unfinished(self) -> tuple[str, ...]:
        """What every task that goes on is for."""
        return tuple(self._open.values())

    def _ended(self, name: str, status: str | None) -> None:
        if status not in _GOING_ON:
            self._open.pop(name, None)
