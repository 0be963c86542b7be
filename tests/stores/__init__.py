"""The ledger, on real SQLite files and with real processes."""
