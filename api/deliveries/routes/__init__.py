"""Deliveries and their destinations."""

from api.deliveries.routes import deliveries, destinations

ROUTERS = (deliveries.writing, deliveries.reading, destinations.router)
