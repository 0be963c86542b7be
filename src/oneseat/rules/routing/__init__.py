"""Which candidate serves a run, and when the next one takes over."""
