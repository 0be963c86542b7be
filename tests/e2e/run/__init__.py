"""One run: what comes in, what comes out, and how it ends."""
