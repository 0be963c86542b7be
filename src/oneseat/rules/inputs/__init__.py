"""What a caller hands in: schemas, tools, functions, MCP servers and API keys, checked."""
