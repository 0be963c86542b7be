"""The transcript index."""
