"""Those who look on at runs."""
