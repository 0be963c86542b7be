"""Small helpers for every package: standard library and msgspec only."""
