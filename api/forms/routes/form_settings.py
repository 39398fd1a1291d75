"""Routes of the organisation's settings for patient forms."""

from fastapi import APIRouter

from api.auth.route_guard import require_scope
from api.dependencies import RequestContextDep
from api.http.errors.error_responses import error_responses
from api.http.preconditions import EntityTagDep, PreconditionDep
from api.store.forms import form_settings
from schemas.organisations.form_settings import FormSettings

router = APIRouter(
    prefix="/v1/organisation/forms",
    tags=["administration"],
    route_class=require_scope("organisation:admin"),
)


@router.get("", summary="Read the form settings")
def read_form_settings(context: RequestContextDep, version: EntityTagDep) -> FormSettings:
    """Read the consent and privacy texts, the emergency numbers and what the forms ask."""
    with context.transaction() as work:
        settings = form_settings.load_form_settings(work)
        work.audit("read", "form_settings")
    version.tag(settings)
    return settings


@router.put("", responses=error_responses(412), summary="Replace the form settings")
def replace_form_settings(
    settings: FormSettings, context: RequestContextDep, version: PreconditionDep
) -> FormSettings:
    """Replace all settings. A setting that is left out returns to its default."""
    with context.transaction() as work:
        version.check(work, lambda: form_settings.load_form_settings(work))
        form_settings.update_form_settings(work, settings)
        work.audit("administer", "form_settings")
    version.tag(settings)
    return settings
