"""Commands that are answered before the command-line parser is loaded: the only place where speed comes before style."""
