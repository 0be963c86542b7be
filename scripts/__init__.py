"""What the Makefile runs: set a checkout up, renew its locks, write its generated pages. Never shipped."""
