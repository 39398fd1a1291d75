"""Routes of the desk, the pages for practitioners."""

from api.desk.routes import account, answers, form_settings, links, login, oidc, screenings

ROUTERS = (
    login.router,
    oidc.router,
    screenings.router,
    answers.router,
    account.router,
    links.router,
    form_settings.router,
)
