"""Nothing secret or dangerous leaves with a push: what is pushed, the rules, the scan, the owner's acceptances, the hook."""
