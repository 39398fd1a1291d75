"""Routes of patient forms: links, settings and the patient's pages."""

from api.forms.routes import form_settings, intake, links

ROUTERS = (form_settings.router, links.router, intake.router)
