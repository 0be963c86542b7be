"""The spine and what keeps it alive. Knows rules and ports, never a provider, a store or this machine."""
