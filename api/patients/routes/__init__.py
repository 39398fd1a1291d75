"""Routes for the data-subject rights of patients."""

from api.patients.routes import patients

ROUTERS = (patients.router,)
