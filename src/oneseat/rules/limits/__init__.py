"""The state of usage windows, and when unattended runs pause."""
