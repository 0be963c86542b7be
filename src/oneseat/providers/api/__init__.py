"""Providers paid by an API key, through the vendors' official SDKs. No SDK is imported before a run needs it."""
