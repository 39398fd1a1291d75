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

from api.auth.services import find_services
from api.web.page_texts import list_languages, load_page_texts, select_page_language
from api.web.security_headers import build_page_headers
from api.web.static_files import build_static_url


class PageOptions(NamedTuple):
    """Language, status and additional headers of a page, and the languages that it offers."""

    language: str | None = None
    status: int = 200
    headers: Mapping[str, str] | None = None
    offered: tuple[str, ...] = ()


def render_page(
    request: Request, template: str, options: PageOptions | None = None, **variables: Any
) -> Response:
    """Render a page, in the visitor's language unless the options name one."""
    options = options or PageOptions()
    language = options.language or select_page_language(request)
    offered = options.offered or list_languages()
    page = _build_environment().get_template(template)
    html = page.render(
        say=load_page_texts(language).say,
        language=language,
        languages=[(code, load_page_texts(code).name) for code in offered],
        static=build_static_url,
        **variables,
    )
    return respond_with_html(request, html, options._replace(language=language))


def respond_with_html(request: Request, html: str, options: PageOptions) -> Response:
    """Return a rendered page with the headers of a page."""
    headers = build_page_headers(find_services(request).settings) | {
        "Content-Language": options.language or select_page_language(request),
        "Vary": "Accept-Language, Cookie",
    }
    return HTMLResponse(html, options.status, headers=headers | dict(options.headers or {}))


def redirect_to(request: Request, path: str) -> Response:
    """Redirect to another page of this service by GET (status 303)."""
    return RedirectResponse(path, 303, headers=build_page_headers(find_services(request).settings))


@cache
def _build_environment() -> Environment:
    return Environment(
        loader=PackageLoader("api.web"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
