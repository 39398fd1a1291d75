"""The routes of batches: upload and progress, results, reports."""

from fastapi import APIRouter

from api.batches.routes import batches, mappings, reports, results
from scoring.catalogue import Catalogue


def build_routers(catalogue: Catalogue) -> tuple[APIRouter, ...]:
    """Return the routers in documentation order, their bodies typed by the rulebooks."""
    return (batches.build_router(catalogue), results.router, reports.router, mappings.router)
