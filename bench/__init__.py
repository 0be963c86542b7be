"""Benchmarks against the real peer, interleaved in one run. `make bench` runs them and writes docs/performance.md.

A ratio depends on the machine and its load, so no test asserts one: it is measured and printed, even when the peer is better.
"""
