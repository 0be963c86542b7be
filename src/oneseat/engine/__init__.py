"""One run: ``flow.py`` reads top to bottom. The engine knows rules and ports, never a provider, a store or this machine."""
