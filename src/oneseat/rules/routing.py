"""Which provider and model serve a cleared request."""

from __future__ import annotations

from difflib import get_close_matches

from oneseat.contract.errors import ErrorInfo
from oneseat.contract.facts import Capabilities
from oneseat.contract.request import Cleared, Plan, Refused


def choose(cleared: Cleared, provider: str, model: str, capabilities: Capabilities) -> Plan | Refused:
    """Plan the run on ``provider`` with ``model``, or refuse a model name that the provider cannot mean.

    A full name (``claude-...``) is passed on: the provider knows best which of those exist. A short name must be one that
    the CLI offered, because it sends any other word upstream as it is.
    """
    if not _is_known(model, capabilities.models):
        return Refused(
            error=_unknown_model(model, capabilities.models),
            wallet=cleared.wallet,
            evidence=cleared.evidence,
            policy=cleared.permitted.policy,
        )
    return Plan(cleared=cleared, provider=provider, model=model, capabilities=capabilities)


def _is_known(model: str, offered: tuple[str, ...]) -> bool:
    if not offered or model.startswith("claude-"):
        return True
    return _family(model) in {_family(name) for name in offered}


def _family(name: str) -> str:
    # `opus[1m]` is `opus` with a longer context.
    return name.partition("[")[0]


def _unknown_model(model: str, offered: tuple[str, ...]) -> ErrorInfo:
    names = sorted({_family(name) for name in offered})
    near = get_close_matches(model, names, n=1)
    return ErrorInfo(
        code="usage.unknown_model",
        message=f"Unknown model: `{model}`\n  the official CLI offers {', '.join(names)}, or a full name such as claude-sonnet-5",
        hint=f"Did you mean `--model {near[0]}`?" if near else None,
    )
