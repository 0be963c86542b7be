"""Decisions, and nothing else: facts come in as arguments. No I/O, no clock, no environment, no async."""
