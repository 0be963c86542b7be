"""The failures of all vendors: one code, one sentence and one hint for each. A vendor's own module only maps to them."""

from __future__ import annotations

from typing import NamedTuple

from oneseat.contract.errors import ErrorInfo, WhoseTurn

#: How much of the vendor's own words a message carries.
_DETAIL_CHARS = 500
_LATER = "Try again in a minute"


class Failure(NamedTuple):
    """What an error of a vendor means."""

    code: str
    what: str
    whose_turn: WhoseTurn = "provider"
    hint: str | None = None

    def info(self, detail: str = "") -> ErrorInfo:
        """The error for a caller, with the first paragraph of the vendor's own words: links and request ids follow that."""
        detail = detail.strip().partition("\n\n")[0][:_DETAIL_CHARS]
        message = f"{self.what}: {detail}" if detail else self.what
        return ErrorInfo(code=self.code, message=message, hint=self.hint, whose_turn=self.whose_turn)


LOGIN_REJECTED = Failure("provider.auth_rejected", "The provider rejected the login", "you")
CREDIT_EXHAUSTED = Failure("provider.credit_exhausted", "The provider wants payment for this request", "you")
BAD_REQUEST = Failure("provider.bad_request", "The provider did not accept the request", "you")
MODEL_NOT_FOUND = Failure(
    "provider.model_not_found",
    "The provider does not know the model, or this account may not use it",
    "you",
    "Choose another model: `oneseat run --model ...`",
)
REQUEST_TOO_LARGE = Failure(
    "provider.request_too_large",
    "The request is too large for the provider",
    "you",
    "Send less text or fewer files",
)
CONTEXT_OVERFLOW = Failure(
    "provider.context_overflow",
    "The prompt exceeds the model's context window",
    "you",
    "Send less text, or split it over several runs",
)
SESSION_LOST = Failure(
    "provider.session_lost",
    "The official CLI no longer has the session",
    "you",
    "Start a new one: `oneseat run --new-session ...`",
)
INTERRUPTED = Failure("provider.interrupted", "The turn was interrupted", "you")

OVERLOADED = Failure("provider.overloaded", "The provider is overloaded", "wait", _LATER)
SERVER_ERROR = Failure("provider.server_error", "The provider failed", "wait", _LATER)
API_TIMEOUT = Failure("provider.api_timeout", "The provider did not answer in time", "wait", _LATER)
CONNECTION_LOST = Failure(
    "provider.connection_lost", "The connection to the provider was lost", "wait", _LATER
)
UNREACHABLE = Failure(
    "provider.unreachable",
    "The provider could not be reached",
    "wait",
    "Check the network, then run it again",
)
UNTRUSTED = Failure(
    "provider.untrusted_certificate",
    "The server's TLS certificate is not trusted",
    "you",
    "If a proxy inspects the traffic, pass what names its certificate, with `pass_environment` of the CLI in oneseat.toml: "
    '`["SSL_CERT_FILE"]`, SSL_CERT_DIR, NODE_EXTRA_CA_CERTS or NODE_USE_SYSTEM_CA. What is withheld: `oneseat doctor`',
)
RATE_LIMITED = Failure(
    "limit.rate_limited",
    "The provider is rate limiting requests",
    "wait",
    "Wait a minute, then run it again",
)

EXECUTION_ERROR = Failure("provider.execution_error", "The CLI reported an error")
API_ERROR = Failure("provider.api_error", "The provider reported an error")

ATTACHMENT_REFUSED = Failure(
    "incomplete.attachment_refused",
    "The model answered without an attached file, which the provider refused",
    "you",
    "The answer is kept; check the file, or choose a model that reads it",
)
MAX_TOKENS = Failure(
    "incomplete.max_tokens",
    "The answer was cut at the model's output limit",
    "you",
    "Ask for a shorter answer",
)
CUT_OFF = Failure(
    "incomplete.cut_off",
    "The provider ended its response in the middle of the answer",
    "provider",
    "What came is kept; to have it answered again, and paid for again, run it again",
)
CONTEXT_WINDOW = Failure(
    "incomplete.context_window",
    "The conversation exceeds the model's context window",
    "you",
    "Send less text, or start a new session",
)
REFUSED = Failure(
    "incomplete.refused",
    "The model refused to answer",
    "you",
    "Rephrase the prompt, or choose another model",
)
