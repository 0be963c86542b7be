"""Adapters to the assistants, one package a vendor. None imports another."""
