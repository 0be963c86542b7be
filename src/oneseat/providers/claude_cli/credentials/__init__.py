"""Which credentials of the official `claude` CLI are on this machine, and where. Names, places and dates: never a value.

`scan` finds what oneseat withholds from the child, which is worth a line on the receipt; `reaching` finds what reaches the child
all the same, which is worth a refusal.
"""

from .login import login_facts, token_fault, write_simulated_login
from .paths import ClaudePaths
from .scan import reaching, scan, scan_dotenv, scan_settings_files, scan_unkeepable
from .settings_block import block_sources
from .watch import Watch

__all__ = [
    "ClaudePaths",
    "Watch",
    "block_sources",
    "login_facts",
    "reaching",
    "scan",
    "scan_dotenv",
    "scan_settings_files",
    "scan_unkeepable",
    "token_fault",
    "write_simulated_login",
]
