"""Streams, signals and the person at the terminal."""
