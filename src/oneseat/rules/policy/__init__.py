"""Decides whether a plan may serve a request: the inputs, the decision, policy packs, and the messages."""
