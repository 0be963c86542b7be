"""Where API keys are stored: the system's keyring, or a private file."""
