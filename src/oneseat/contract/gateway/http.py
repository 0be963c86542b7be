"""Where the HTTP server listens."""

from __future__ import annotations

import msgspec

from oneseat.contract.errors import ErrorInfo, UsageError

#: The port that clients are told of unless another one is asked for.
DEFAULT_PORT = 8787
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


class HttpOptions(msgspec.Struct, frozen=True, kw_only=True):
    """``api_only`` keeps every plan out, which is what another address than this machine's own demands; it also needs TLS."""

    host: str = "127.0.0.1"
    port: int = DEFAULT_PORT
    api_only: bool = False
    tls_cert: str | None = None
    tls_key: str | None = None

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine reaches it."""
        return self.host in _LOOPBACK

    def check(self) -> None:
        """Raises ``UsageError`` ``usage.arguments`` for an address that would open the plan, or send keys unencrypted."""
        if (self.tls_cert is None) != (self.tls_key is None):
            why, hint = "a certificate and its key belong together", "--tls-cert FILE --tls-key FILE"
        elif self.is_loopback:
            return
        elif not self.api_only:
            why, hint = "others could reach a plan, which is its owner's alone", "--api-only"
        elif self.tls_cert is None or self.tls_key is None:
            why, hint = "keys of clients would be sent unencrypted", "--tls-cert FILE --tls-key FILE"
        else:
            return
        raise UsageError(
            ErrorInfo(
                code="usage.arguments",
                message=f"The server does not listen there: `{self.host}`\n  {why}",
                hint=f"Serve on this machine only, or add `{hint}`",
            )
        )
