"""The commands, one a file: parse, call a use-case, print its report."""
