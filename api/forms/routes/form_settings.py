"""Routes of the organisation's settings for patient forms."""

from fastapi import APIRouter

from api.auth.route_guard import require_scope
from api.dependencies import RequestContextDep
from api.store.forms import form_settings
from schemas.form_settings import FormSettings

router = APIRouter(
    prefix="/v1/organisation/forms",
    tags=["administration"],
    route_class=require_scope("organisation:admin"),
)


@router.get("", summary="Read the form settings")
def read_form_settings(context: RequestContextDep) -> FormSettings:
    """Read the consent and privacy texts, the emergency numbers and what the forms ask."""
    with context.transaction() as work:
        settings = form_settings.load_form_settings(work)
        work.audit("read", "form_settings")
    return settings


@router.put("", summary="Replace the form settings")
def replace_form_settings(settings: FormSettings, context: RequestContextDep) -> FormSettings:
    """Replace all settings. A setting that is left out returns to its default."""
    with context.transaction() as work:
        form_settings.update_form_settings(work, settings)
        work.audit("administer", "form_settings")
    return settings
