"""What a run may spend: the budgets it is under, what is reserved for it, and what it has used."""
