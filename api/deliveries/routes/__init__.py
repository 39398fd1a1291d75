"""Deliveries and their destinations."""

from api.deliveries.routes import deliveries, destinations

ROUTERS = (deliveries.write_router, deliveries.read_router, destinations.router)
