"""Conversations, and the processes kept warm for them."""
