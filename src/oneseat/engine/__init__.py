"""Does one run; start with ``flow.py``. The engine uses rules and ports, never a provider, a store or this machine."""
