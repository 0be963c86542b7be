"""What the official CLIs share: finding and starting the program, its lines, its process, an open conversation."""
