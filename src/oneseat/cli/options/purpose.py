"""The options that say what a request is for, and for whom."""

from __future__ import annotations

from typing import Any

import click

from oneseat.app import Installation
from oneseat.app.settings import Project, find_client
from oneseat.contract.request import OWNERS, READERS, PurposeWords

from .completing import completer

#: In the order of `--help`.
PURPOSE_OPTIONS = (
    click.option(
        "--for",
        "asked_by",
        metavar="NAME",
        help="Who asks: me, automation, unknown, or another person's name.",
    ),
    click.option(
        "--reader",
        metavar="WHO",
        type=click.Choice(READERS),
        help="Who reads it: me, reviewed, published, others, customers.",
    ),
    click.option(
        "--work-of",
        metavar="WHOSE",
        type=click.Choice(OWNERS),
        help="Whose work it is: me, employer, client, other.",
    ),
    click.option(
        "--client",
        metavar="NAME",
        shell_complete=completer("client"),
        help="The client of your oneseat.toml that the work is for.",
    ),
)


def words_of(here: Installation, options: dict[str, Any], project: Project | None) -> PurposeWords:
    """The purpose: from the options, else from the client, else from the project."""
    said = PurposeWords(asked_by=options["asked_by"], reader=options["reader"], work_of=options["work_of"])
    if options["client"] is not None:
        said = said.over(find_client(here, options["client"]).purpose)
    return said.over(project.purpose) if project is not None else said
