"""Routes of the desk, the pages for practitioners."""

from api.desk.routes import (
    account,
    answers,
    due,
    form_settings,
    links,
    login,
    messages,
    oidc,
    screenings,
)

ROUTERS = (
    login.router,
    oidc.router,
    screenings.router,
    answers.router,
    account.router,
    links.router,
    due.router,
    messages.router,
    form_settings.router,
)
