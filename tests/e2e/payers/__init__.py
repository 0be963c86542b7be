"""Who pays, and what keeps everybody else from paying."""
