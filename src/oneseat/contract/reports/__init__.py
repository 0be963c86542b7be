"""What each command reports: the JSON of ``--json``, and the value that every other face gets."""
