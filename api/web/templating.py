"""Pages: a template and what it shows in, a response with the headers of a page out.

Everything shown is escaped. Templates get `say` (the words of the language), `language`,
`languages`, `static` (the address of a static file) and what the route gives.
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
    """How a page is answered, beside what it shows."""

    language: str | None = None
    status: int = 200
    headers: Mapping[str, str] | None = None


def page(request: Request, template: str, look: Look | None = None, **shown: Any) -> Response:
    """The page. In the visitor's language, unless the look names one."""
    look = look or Look()
    language = look.language or chosen_language(request)
    words = wording(language)
    text = (
        _environment()
        .get_template(template)
        .render(
            say=words.say,
            language=language,
            languages=[(each, wording(each).name) for each in languages()],
            static=address,
            **shown,
        )
    )
    headers = page_headers(request.app.state.settings) | {
        "Content-Language": language,
        "Vary": "Accept-Language, Cookie",
    }
    return HTMLResponse(text, look.status, headers=headers | dict(look.headers or {}))


def see(request: Request, path: str) -> Response:
    """Go on to this page of ours, by GET."""
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
