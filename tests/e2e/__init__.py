"""The whole program, as its users run it: a process of its own, a scratch home, a simulator."""
