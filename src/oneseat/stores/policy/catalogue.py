"""The sections of a policy pack that only `oneseat policy` reads, and its JSON Schema."""

from __future__ import annotations

from pathlib import Path

import msgspec

from oneseat.contract.policy_catalogue import Sections
from oneseat.contract.policy_pack import Pack

from .pack import bad_pack

_SCHEMA = Path(__file__).with_name("policy_pack.schema.json")


def whole(pack: Pack, path: Path) -> Sections:
    """The sections that a run does not read. Raises ``UsageError`` ``usage.bad_policy_pack``."""
    raw = {name: msgspec.json.decode(getattr(pack, name)) for name in Sections.__struct_fields__}
    try:
        return msgspec.convert(raw, Sections)
    except msgspec.ValidationError as error:
        raise bad_pack(path, str(error)) from error


def pack_schema() -> bytes:
    """The JSON Schema of a pack."""
    return _SCHEMA.read_bytes()
