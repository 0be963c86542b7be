"""Small programs that the benchmarks start as separate processes."""
