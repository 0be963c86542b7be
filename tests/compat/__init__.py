"""The canary: the trial of an installed CLI, and what follows from it."""
