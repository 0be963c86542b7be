"""The official `codex` CLI's streams, read from recordings."""
