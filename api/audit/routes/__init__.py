"""Routes to read the audit trail."""

from api.audit.routes import export

ROUTERS = (export.router,)
