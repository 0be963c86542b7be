"""The official `codex` CLI, driven for real."""
