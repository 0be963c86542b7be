"""What oneseat keeps on disk."""
