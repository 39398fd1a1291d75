"""Public routes: rulebooks, health, metrics and problem types."""

from api.system.routes import health, metrics, problem_types, rulebooks

ROUTERS = (rulebooks.router, health.router, metrics.router, problem_types.router)
