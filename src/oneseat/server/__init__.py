"""Behind `oneseat serve`: does the runs of the owner's other commands, on a socket that only the owner reaches."""
