"""Runs a command and prints its peak memory in the system's unit: `weigh.py PROGRAM ...`."""

import os
import sys

_NO_OUTPUT = [(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)]
_, status, usage = os.wait4(os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ, file_actions=_NO_OUTPUT), 0)
print(usage.ru_maxrss)
sys.exit(os.waitstatus_to_exitcode(status))
