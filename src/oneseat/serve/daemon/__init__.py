"""The way in for the owner's other commands: a private socket that nobody else reaches."""
