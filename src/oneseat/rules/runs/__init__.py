"""Decisions about one run: its outcome, retries, and the session it continues."""
