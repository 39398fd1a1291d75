"""Languages: the one a visitor chose, or the first of the browser's that there is."""

from starlette.requests import Request

from api.web.page_texts import languages


def chosen_language(request: Request) -> str:
    """By `?language=`, else by `Accept-Language`, else English."""
    chosen = request.query_params.get("language", "")
    if chosen in languages():
        return chosen
    for each in accepted(request.headers.get("accept-language", "")):
        if each in languages():
            return each
    return languages()[0]


def accepted(header: str) -> list[str]:
    """The languages that the header names, the most wanted first (RFC 9110, 12.5.4)."""
    ranges = []
    for place, part in enumerate(header[:500].split(",")):
        name, _, weight = part.strip().partition(";")
        wanted = _weight(weight.strip())
        if wanted > 0:
            ranges.append((-wanted, place, name.strip().lower().partition("-")[0]))
    return [name for _, _, name in sorted(ranges)]


def _weight(text: str) -> float:
    if not text:
        return 1.0
    try:
        return min(max(float(text.removeprefix("q=")), 0.0), 1.0)
    except ValueError:
        return 0.0
