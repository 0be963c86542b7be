"""What oneseat can do, one module a noun; each function takes an ``Installation`` and returns a type of ``contract``."""

from __future__ import annotations

from oneseat.installation import Installation

__all__ = ["Installation"]
