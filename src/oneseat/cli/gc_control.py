"""When Python looks for garbage. What a command loads is none, and looking through it took 13 ms of `oneseat run`."""

from __future__ import annotations

import gc

_ORDINARY = gc.get_threshold()
#: More objects than any command loads, and few enough for one that never comes to ``begin``.
_WHILE_LOADING = 100_000


def wait() -> None:
    """Look for none while a command is being loaded."""
    gc.set_threshold(_WHILE_LOADING)


def begin() -> None:
    """Look for it as Python does by itself, but never in what is loaded by now."""
    # Another program that calls a command has memory of its own, in which garbage is to be found.
    if gc.get_threshold()[0] == _WHILE_LOADING:
        gc.freeze()
        gc.set_threshold(*_ORDINARY)
