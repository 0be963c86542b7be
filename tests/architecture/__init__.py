"""The shape of the project, held by tests: floors, budgets, stations, names, and what no file may contain."""
