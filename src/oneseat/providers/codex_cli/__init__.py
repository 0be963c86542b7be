"""The official `codex` CLI as provider, through its app-server."""
