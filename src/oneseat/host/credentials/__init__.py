"""Which credentials are around, and where. Names, places and dates only: no value is kept, shown or compared here.

What oneseat keeps from the child (`scan`) and what reaches it all the same (`reaching`, `child_sources`) are kept apart,
because the first is worth a line on the receipt and the second is worth a refusal.
"""

from .environment import Named, child_sources, missing_names, scan_environment
from .login import login_facts, token_fault, write_simulated_login
from .places import Places
from .scan import reaching, scan, scan_dotenv, scan_settings_files, scan_unkeepable
from .settings_block import block_sources
from .stamps import stamps

__all__ = [
    "Named",
    "Places",
    "block_sources",
    "child_sources",
    "login_facts",
    "missing_names",
    "reaching",
    "scan",
    "scan_dotenv",
    "scan_environment",
    "scan_settings_files",
    "scan_unkeepable",
    "stamps",
    "token_fault",
    "write_simulated_login",
]
