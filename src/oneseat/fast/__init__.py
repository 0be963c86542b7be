"""Answers given before the command line is loaded: the only place where speed may cost style."""
