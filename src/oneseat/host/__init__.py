"""This machine: processes, credentials that are present (facts, never values), folders, clocks."""
