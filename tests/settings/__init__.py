"""Settings: what they may be, where they stand, and what is wrong with them."""
