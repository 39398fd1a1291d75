"""Scoring without storing: one intake, or many in one request."""

from fastapi import APIRouter

from api.score.routes import bulk, single
from scoring.catalogue import Catalogue


def build_routers(catalogue: Catalogue) -> tuple[APIRouter, ...]:
    """Return the routers in documentation order, their bodies typed by the rulebooks."""
    return (single.build_router(catalogue), bulk.build_router(catalogue))
