"""Checks that an installed official CLI behaves as oneseat expects, on the simulator and without a login.

``installed`` and ``gate`` are cheap and used in every run; ``trial`` and the rest load the simulator.
"""
