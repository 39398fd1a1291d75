"""Select the language of a page from the visitor's choice or the browser's preferences."""

from starlette.requests import Request

from api.web.page_texts import list_languages


def negotiate_language(request: Request) -> str:
    """Return the language from `?language=`, else from `Accept-Language`, else English."""
    chosen = request.query_params.get("language", "")
    if chosen in list_languages():
        return chosen
    for language in parse_accept_language(request.headers.get("accept-language", "")):
        if language in list_languages():
            return language
    return list_languages()[0]


def parse_accept_language(header: str) -> list[str]:
    """Return the languages of an `Accept-Language` header, preferred first (RFC 9110, 12.5.4)."""
    ranges = []
    for position, part in enumerate(header[:500].split(",")):
        language_tag, _, parameter = part.strip().partition(";")
        weight = _parse_weight(parameter.strip())
        if weight > 0:
            ranges.append((-weight, position, language_tag.strip().lower().partition("-")[0]))
    return [language for _, _, language in sorted(ranges)]


def _parse_weight(text: str) -> float:
    if not text:
        return 1.0
    try:
        return min(max(float(text.removeprefix("q=")), 0.0), 1.0)
    except ValueError:
        return 0.0
