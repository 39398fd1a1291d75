"""What clients write: single responses, and bundles of requests."""
