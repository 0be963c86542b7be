"""What the official CLIs have in common as programs: where they are, how they start and end, their lines, an open conversation."""
