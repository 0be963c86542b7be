"""Child processes: started, fed, watched and ended for certain."""
