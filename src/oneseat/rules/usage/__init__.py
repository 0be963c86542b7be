"""Sums over what was used, the audit of those sums, and advice drawn from them."""
