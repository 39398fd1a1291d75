"""Routes to administer an organisation."""

from api.admin.routes import approvals, clients, credentials, organisation, practitioners

ROUTERS = (
    organisation.router,
    *approvals.ROUTERS,
    clients.router,
    credentials.router,
    practitioners.router,
)
