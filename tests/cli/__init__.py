"""The command line in process: what it prints, and in which shape."""
