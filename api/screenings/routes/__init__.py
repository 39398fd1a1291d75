"""Stored screenings: create, search, status, reports."""

from fastapi import APIRouter

from api.screenings.routes import (
    create,
    report_verification,
    reports,
    rescore,
    search,
    status,
)
from scoring.catalogue import Catalogue


def build_routers(catalogue: Catalogue) -> tuple[APIRouter, ...]:
    """Return the routers in documentation order, their bodies typed by the rulebooks."""
    return (
        search.router,
        create.build_router(catalogue),
        *rescore.build_routers(catalogue),
        status.router,
        reports.router,
        report_verification.router,
    )
