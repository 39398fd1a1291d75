"""Routes of the organisation's settings for patient forms."""

from fastapi import APIRouter

from api.auth.route_guard import guarded
from api.dependencies import Acting
from api.http.error_responses import GUARDED, TAKING, refusals
from api.store.forms import form_settings
from schemas.form_settings import FormSettings

router = APIRouter(
    prefix="/v1/organisation/forms", tags=["administration"], route_class=guarded("admin")
)


@router.get(
    "",
    operation_id="read_form_settings",
    responses=refusals(*GUARDED),
    summary="Read the form settings",
)
def read_form_settings(acts: Acting) -> FormSettings:
    """Read the consent and privacy texts, the emergency numbers and what the forms ask."""
    with acts.transaction() as work:
        settings = form_settings.own(work)
        work.audit("read", "form_settings")
    return settings


@router.put(
    "",
    operation_id="change_form_settings",
    responses=refusals(*TAKING),
    summary="Replace the form settings",
)
def change_form_settings(chosen: FormSettings, acts: Acting) -> FormSettings:
    """Replace all settings. A setting that is left out returns to its default."""
    with acts.transaction() as work:
        form_settings.change(work, chosen)
        work.audit("administer", "form_settings")
    return chosen
