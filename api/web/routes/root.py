"""Lead a browser from the root of the service to the desk."""

from fastapi import APIRouter, Request, Response
from starlette.exceptions import HTTPException

from api.http.content_negotiation import negotiate_media_type
from api.web.templating import redirect_to

DESK_PATH = "/desk"
router = APIRouter(include_in_schema=False)


@router.get("/")
def open_desk(request: Request) -> Response:
    """Redirect a browser to the desk; a client that does not ask for HTML finds nothing here."""
    offered = ("application/json", "text/html")
    if negotiate_media_type(request.headers.get("accept"), offered) != "text/html":
        raise HTTPException(404)
    response = redirect_to(request, DESK_PATH)
    response.headers["Vary"] = "Accept"
    return response
