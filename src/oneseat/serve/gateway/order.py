"""The order in which the pieces of an answer may leave: begun once, then text and calls, then exactly one end."""

from __future__ import annotations

from oneseat.contract.errors import ErrorInfo, InternalError
from oneseat.contract.gateway.chat import Begun, Broke, Ended, Piece


class Order:
    """Refuses a piece that may not come now: an SDK that gets events out of order loses the answer, or misreads it."""

    def __init__(self) -> None:
        self._begun = self._over = False

    @property
    def is_over(self) -> bool:
        """Whether the last piece has come."""
        return self._over

    def take(self, piece: Piece) -> Piece:
        """The piece, if it may come now. Raises ``InternalError`` otherwise."""
        early = isinstance(piece, Begun) == self._begun and not isinstance(piece, Broke)
        if self._over or early:
            raise InternalError(
                ErrorInfo(
                    code="bug.event_order",
                    message=f"A piece of an answer came out of order: `{type(piece).__name__}`",
                    whose_turn="bug",
                )
            )
        self._begun = True
        self._over = isinstance(piece, Ended | Broke)
        return piece
