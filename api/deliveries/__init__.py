"""Deliveries: a screening composed for a destination, sent over its transport, until it arrived."""
