"""The official `claude` CLI's streams, read from recordings."""
