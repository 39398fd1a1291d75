"""The requested report: format, audience and language."""

from typing import Annotated, Any, Literal, NamedTuple

from fastapi import Depends, Path, Query, Request

from api.http.content_negotiation import OFFERED, by_accept, by_suffix
from api.problems import MEDIA_TYPE, ProblemBody
from reports.formats import MEDIA_TYPES, Format, Kind
from reports.phrases import languages


class Chosen(NamedTuple):
    """Requested report: format, audience, language."""

    form: Format = "pdf"
    kind: Kind = "clinician"
    language: str | None = None


Language: Any = Literal[languages()]
Document = Annotated[Kind, Query(examples=["clinician"])]
Locale = Annotated[Language | None, Query(examples=["en"])]
Suffix = Annotated[Literal["pdf", "html", "rtf", "txt", "xml"], Path(examples=["pdf"])]


async def _by_accept(
    request: Request, document: Document = "clinician", locale: Locale = None
) -> Chosen:
    return Chosen(by_accept(request.headers.get("accept")), document, locale)


async def _by_suffix(
    suffix: Suffix, document: Document = "clinician", locale: Locale = None
) -> Chosen:
    return Chosen(by_suffix(f".{suffix}"), document, locale)


async def _as_note(locale: Locale = None) -> Chosen:
    return Chosen("note", "clinician", locale)


ByAccept = Annotated[Chosen, Depends(_by_accept)]
BySuffix = Annotated[Chosen, Depends(_by_suffix)]
AsNote = Annotated[Chosen, Depends(_as_note)]

_NOT_ACCEPTABLE: dict[int | str, dict[str, Any]] = {
    406: {
        "description": "Unknown format, or the rulebook is not translated into this language",
        "content": {
            MEDIA_TYPE: {"schema": {"$ref": f"#/components/schemas/{ProblemBody.__name__}"}}
        },
    }
}
DOCUMENTS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The document",
        "content": {
            MEDIA_TYPES[form].split(";")[0]: {
                "schema": {"type": "string"} | ({"format": "binary"} if form == "pdf" else {})
            }
            for form in OFFERED
        },
    },
    **_NOT_ACCEPTABLE,
}
NOTE: dict[int | str, dict[str, Any]] = {
    200: {"description": "The note", "content": {"text/plain": {"schema": {"type": "string"}}}},
    **_NOT_ACCEPTABLE,
}
