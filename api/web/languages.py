"""Select the language of a page from the visitor's choice or the browser's preferences."""

from starlette.requests import Request

from api.http.content_negotiation import negotiate_language
from api.web.page_texts import list_languages


def select_page_language(request: Request) -> str:
    """Return the language from `?language=`, else from `Accept-Language`, else English."""
    languages = list_languages()
    requested = request.query_params.get("language", "")
    if requested in languages:
        return requested
    return negotiate_language(request.headers.get("accept-language"), languages) or languages[0]
