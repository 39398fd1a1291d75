"""Public routes: rulebooks, health, metrics, problem types and the description of the API."""

from api.system.routes import api_description, health, metrics, problem_types, rulebooks

ROUTERS = (
    rulebooks.router,
    health.router,
    metrics.router,
    problem_types.router,
    api_description.router,
)
