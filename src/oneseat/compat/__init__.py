"""Whether an installed official CLI behaves as oneseat expects: tried on the simulator, without a login.

``installed`` and ``gate`` are light and part of every run; ``trial`` and the rest load the simulator.
"""
