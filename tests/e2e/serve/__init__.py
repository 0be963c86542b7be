"""A running server and its clients."""
