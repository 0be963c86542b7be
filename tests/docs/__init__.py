"""What the documentation shows is what the product does."""
