"""One process, one app, and the ways in to it that other programs use."""
