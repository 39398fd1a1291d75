"""Routes to administer an organisation."""

from api.admin.routes import clients, credentials, organisation, practitioners

ROUTERS = (organisation.router, clients.router, credentials.router, practitioners.router)
