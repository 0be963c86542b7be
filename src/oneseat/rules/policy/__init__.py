"""May a plan serve this request? The inputs, the decision, policy packs, and the messages."""
