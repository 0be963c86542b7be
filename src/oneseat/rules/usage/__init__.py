"""Sums of usage, their audit, and advice based on them."""
