"""Routes: each a door of its own; none knows another."""
