"""Checks the caller's inputs: schemas, tools, functions, MCP servers and API keys."""
