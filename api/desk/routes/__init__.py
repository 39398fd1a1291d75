"""Routes of the desk, the pages for practitioners."""

from api.desk.routes import (
    account,
    answers,
    due,
    faults,
    launch,
    links,
    login,
    messages,
    oidc,
    patient_data,
    screenings,
)
from api.desk.routes.settings import (
    approvals,
    clients,
    destinations,
    emergency_numbers,
    form_settings,
    practice,
    practitioners,
)

ROUTERS = (
    login.router,
    oidc.router,
    launch.router,
    screenings.router,
    answers.router,
    account.router,
    faults.router,
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
