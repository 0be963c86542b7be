"""The ledger: every run with its events, in one SQLite file."""
