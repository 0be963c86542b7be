"""Providers on API keys."""
