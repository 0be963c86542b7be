"""What a command was asked to print. Standard library only: known before anything else is loaded."""

from __future__ import annotations

from typing import Literal, NamedTuple

#: What a command prints on stdout.
Form = Literal["text", "json", "stream-json"]


class Output(NamedTuple):
    """The form of stdout, and whether stderr stays without receipt and status line."""

    form: Form
    quiet: bool
