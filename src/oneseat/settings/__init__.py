"""Every setting and environment variable, declared once; read, checked and frozen in one place.

A value comes from the first of these that names it: the command line, the environment, the project's
``oneseat.toml``, the owner's ``oneseat.toml``, the default. A project may have come from somebody else, so
its file cannot say which program runs, what the child's environment holds or where prompts go.
"""

from .clients import CLIENTS, Client
from .entries import FILE_NAME
from .keys import KEYS
from .prices import PRICES
from .projects import PROJECTS, Project
from .reading import home_from, load, read_named
from .roles import ROLES
from .table import ReferenceRow, Settings, differences, reference_rows

__all__ = [
    "CLIENTS",
    "FILE_NAME",
    "KEYS",
    "PRICES",
    "PROJECTS",
    "ROLES",
    "Client",
    "Project",
    "ReferenceRow",
    "Settings",
    "differences",
    "home_from",
    "load",
    "read_named",
    "reference_rows",
]
