"""Kills oneseat and the CLI at random moments, and checks what is left. ``python -m tests.chaos --help``."""
