"""What is known of usage windows, and when unattended runs pause."""
