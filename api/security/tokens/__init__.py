"""Tokens that the service issues, and those of clients and identity providers that it verifies."""
