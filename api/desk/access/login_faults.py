"""Keep the faults of a form outside a session for the page that shows them, sealed in a cookie.

Passwords and codes are never kept.
"""

from collections.abc import Mapping
from typing import NamedTuple

from fastapi import Request, Response

from api.desk import kept_forms
from api.web import cookies
from api.web.templating import redirect_to

FAULTY_PARAMETER = "faulty"
_PURPOSE = b"faults of a login form"
_SECONDS = 600


class LoginFaults(NamedTuple):
    """The phrases of the faults by field, and the name that was entered."""

    faults: Mapping[str, str]
    name: str


def redirect_with_faults(request: Request, page: str, faults: LoginFaults) -> Response:
    """Redirect to the page, which shows the faults and the name again."""
    response = redirect_to(request, f"{page}?{FAULTY_PARAMETER}")
    content = [page, dict(faults.faults), faults.name]
    note = kept_forms.seal_note(request, _PURPOSE, content)
    cookies.set_cookie(request, response, cookies.LOGIN_FAULTS, note, _SECONDS)
    return response


def read_faults(request: Request) -> LoginFaults:
    """Return the faults for this page; none unless its address asks for them."""
    note = cookies.read_cookie(request, cookies.LOGIN_FAULTS)
    if FAULTY_PARAMETER in request.query_params and note:
        content = kept_forms.open_note(request, _PURPOSE, note)
        if content is not None and content[0] == request.url.path:
            return LoginFaults(content[1], content[2])
    return LoginFaults({}, "")
