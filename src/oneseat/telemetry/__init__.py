"""Observers of runs: the log and OpenTelemetry, and the dispatcher that keeps them from delaying or breaking a run."""
