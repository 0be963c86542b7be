"""Adapters to the assistants, one package each. They are strangers to each other."""
