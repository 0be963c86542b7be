"""What a run may spend: the budgets that apply, the reservation, and what it has used."""
