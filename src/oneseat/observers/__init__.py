"""Those who look on at runs: the log and OpenTelemetry, and what keeps them from slowing or breaking a run."""
