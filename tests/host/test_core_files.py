"""A process that has read a key leaves no core file."""

from __future__ import annotations

import subprocess
import sys

_READS_A_KEY = """
import resource
from oneseat.contract.keys import ApiKey
from oneseat.host.keys.store import KeyStore
key = ApiKey(name="work", provider="openai", env="WORK")
store = KeyStore({"work": key}, {"WORK": "made-up-key-0123456789"}, None, lambda key, value: None, lambda value: None)
resource.setrlimit(resource.RLIMIT_CORE, (resource.getrlimit(resource.RLIMIT_CORE)[1],) * 2)
store.get("work")
print(resource.getrlimit(resource.RLIMIT_CORE)[0])
"""


def test_a_process_that_holds_a_key_writes_no_core() -> None:
    ended = subprocess.run([sys.executable, "-c", _READS_A_KEY], capture_output=True, text=True, check=True)
    assert int(ended.stdout) in (0, 1)
