"""Deliveries: composes screenings for destinations and sends them, with retries."""
