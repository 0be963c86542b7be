"""One run: how it ended, what is retried, which session it continues."""
