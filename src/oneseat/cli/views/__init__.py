"""Reports as a person reads them."""
