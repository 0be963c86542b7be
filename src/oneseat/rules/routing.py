"""Which provider and model serve a cleared request."""

from __future__ import annotations

from difflib import get_close_matches

from oneseat.contract.errors import ErrorInfo
from oneseat.contract.facts import Capabilities
from oneseat.contract.request import Cleared, Plan, Refused


def choose(
    cleared: Cleared,
    provider: str,
    model: str,
    capabilities: Capabilities,
    background: str | None = None,
) -> Plan | Refused:
    """Plan the run on ``provider`` with ``model``, or refuse a name for which the provider knows no model.

    The official CLI would send such a name upstream as it is, and the mistake would come back as an API error.
    """
    if model in capabilities.unresolved:
        return Refused(
            error=_unknown_model(model, capabilities.models),
            wallet=cleared.wallet,
            evidence=cleared.evidence,
            policy=cleared.permitted.policy,
        )
    return Plan(
        cleared=cleared,
        provider=provider,
        model=model,
        capabilities=capabilities,
        background=background,
    )


def _unknown_model(model: str, offered: tuple[str, ...]) -> ErrorInfo:
    near = get_close_matches(model, offered, n=1)
    return ErrorInfo(
        code="usage.unknown_model",
        message=f"Unknown model: `{model}`\n  the official CLI offers {', '.join(offered)}, or a full name such as claude-sonnet-5",
        hint=f"Did you mean this: `oneseat run --model {near[0]} ...`" if near else None,
    )
