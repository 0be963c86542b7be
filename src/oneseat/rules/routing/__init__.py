"""Chooses the candidate for a run, and decides when to go on to the next one."""
