"""Scripts for the Makefile: set up a checkout, renew its locks, write its generated pages. Never shipped."""
