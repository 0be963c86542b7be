"""A simulated ChatGPT login for simulated runs, stored as the CLI stores a real one."""

from __future__ import annotations

import base64
from pathlib import Path

import msgspec

from oneseat._util.atomic import replace_file
from oneseat._util.time import iso
from oneseat.host.paths import create_folder

from .login import codex_login

_LOGIN_FILE = "auth.json"
#: Its expiry, in seconds since the epoch: in 2100, so that the CLI never tries to renew it.
_FAR_FUTURE_S = 4_102_444_800
#: At its start the CLI renews an old login; the simulated one is written anew before that, after this many seconds.
_FRESH_S = 24 * 3600.0
_ACCOUNT = "simulated-account"
_CLAIMS = "https://api.openai.com/auth"


def sign_in(folder: Path, token: str | None, now: float) -> None:
    """Create ``folder`` and in it a login with ``token`` (``None``: none), unless another login is there. Raises ``OSError``."""
    create_folder(folder)
    if token is None:
        return
    there = codex_login(folder)
    ours = there.kind == "none" or there.auth_mode == "chatgpt"
    if not ours or (there.refreshed_at is not None and now - there.refreshed_at < _FRESH_S):
        return
    replace_file(folder / _LOGIN_FILE, msgspec.json.encode(_login(token, now)))


def _login(token: str, now: float) -> dict[str, object]:
    claims = {
        "email": "owner@example.invalid",
        "exp": _FAR_FUTURE_S,
        _CLAIMS: {"chatgpt_plan_type": "plus", "chatgpt_account_id": _ACCOUNT},
    }
    return {
        "auth_mode": "chatgpt",
        "OPENAI_API_KEY": None,
        "tokens": {
            "id_token": _jwt(claims),
            "access_token": token,
            "refresh_token": token,
            "account_id": _ACCOUNT,
        },
        "last_refresh": iso(now),
    }


def _jwt(claims: dict[str, object]) -> str:
    parts = (msgspec.json.encode({"alg": "none", "typ": "JWT"}), msgspec.json.encode(claims), b"simulated")
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode("ascii") for part in parts)
