"""Shows the page that names the faults of a submitted form."""

from fastapi import APIRouter, Response

from api.desk.access.session_guard import (
    FAULTS_PATH,
    FAULTY_PAGE_FIELD,
    STATUS_FAULTY,
    PractitionerPageDep,
    build_desk_route,
)
from api.web.page_route import read_field
from api.web.templating import PageOptions, respond_with_html

router = APIRouter(route_class=build_desk_route())


@router.get(FAULTS_PATH)
def show_faults(desk: PractitionerPageDep) -> Response:
    """Show the page as it was when the form was refused, to the practitioner who sent it."""
    kept_form = desk.find_kept_form(FAULTS_PATH)
    if kept_form is None:
        return desk.redirect("/desk")
    html = read_field(kept_form.fields, FAULTY_PAGE_FIELD)
    return respond_with_html(desk.request, html, PageOptions(desk.language, STATUS_FAULTY))
