"""Code shared by the official CLIs: finding and starting the program, its lines, its process, an open conversation."""
