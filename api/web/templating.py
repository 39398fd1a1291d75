"""Render the templates of HTML pages into responses with the security headers of a page.

All values are escaped. Templates receive `say` (the text of a phrase), `language`, `languages`,
`static` (the URL of a static file) and the values of the route.
"""

from collections.abc import Mapping
from functools import cache
from typing import Any, NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from api.web.languages import chosen_language
from api.web.page_texts import languages, wording
from api.web.security_headers import page_headers
from api.web.static_files import address


class Look(NamedTuple):
    """Language, status and additional headers of a page."""

    language: str | None = None
    status: int = 200
    headers: Mapping[str, str] | None = None


def page(request: Request, template: str, look: Look | None = None, **variables: Any) -> Response:
    """Render a page, in the visitor's language unless `look` names one."""
    look = look or Look()
    language = look.language or chosen_language(request)
    html = (
        _environment()
        .get_template(template)
        .render(
            say=wording(language).say,
            language=language,
            languages=[(code, wording(code).name) for code in languages()],
            static=address,
            **variables,
        )
    )
    headers = page_headers(request.app.state.settings) | {
        "Content-Language": language,
        "Vary": "Accept-Language, Cookie",
    }
    return HTMLResponse(html, look.status, headers=headers | dict(look.headers or {}))


def see(request: Request, path: str) -> Response:
    """Redirect to another page of this service by GET (status 303)."""
    return RedirectResponse(path, 303, headers=page_headers(request.app.state.settings))


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("api.web"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
