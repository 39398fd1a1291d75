"""The rights of patients."""

from api.patients.routes import patients

ROUTERS = (patients.router,)
