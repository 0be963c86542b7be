"""This machine: processes, folders, locks, API keys, clocks, and which credentials exist (never their values)."""
