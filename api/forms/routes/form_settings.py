"""What one's organisation chose for the forms that its patients fill in."""

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
    summary="Read the settings of the forms",
)
def read_form_settings(acts: Acting) -> FormSettings:
    """Consent and privacy texts, emergency numbers, adversity questions, when to ask again."""
    with acts.transaction() as work:
        own = form_settings.own(work)
        work.audit("read", "form_settings")
    return own


@router.put(
    "",
    operation_id="change_form_settings",
    responses=refusals(*TAKING),
    summary="Change the settings of the forms",
)
def change_form_settings(chosen: FormSettings, acts: Acting) -> FormSettings:
    """The whole of them: what is left out is as it was before anything was chosen."""
    with acts.transaction() as work:
        form_settings.change(work, chosen)
        work.audit("administer", "form_settings")
    return chosen
