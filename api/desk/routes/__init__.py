"""Routes of the desk, the pages for practitioners."""

from api.desk.routes import (
    account,
    answers,
    approvals,
    clients,
    destinations,
    due,
    emergency_numbers,
    form_settings,
    links,
    login,
    messages,
    oidc,
    patient_data,
    practice,
    practitioners,
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
    emergency_numbers.router,
    practitioners.router,
    clients.router,
    destinations.router,
    patient_data.router,
    approvals.router,
    practice.router,
)
