"""Routes of patient forms: links, settings and the patient's pages."""

from fastapi import APIRouter

from api.forms.routes import form_settings, intake, links
from scoring.catalogue import Catalogue


def build_routers(catalogue: Catalogue) -> tuple[APIRouter, ...]:
    """Return the routers in documentation order, their bodies typed by the rulebooks."""
    return (form_settings.router, links.router, intake.build_router(catalogue))
