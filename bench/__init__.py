"""Benchmarks: ours beside the real peer, in one run, interleaved. `make bench` runs them and writes docs/performance.md.

A ratio depends on the machine and on what else it does, so no test asserts one: it is measured and printed, whoever wins.
"""
