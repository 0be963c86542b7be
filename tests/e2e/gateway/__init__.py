"""The HTTP server, asked by the vendors' own SDKs."""
