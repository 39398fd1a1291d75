"""Child processes that work for the service and may be killed at any moment."""
