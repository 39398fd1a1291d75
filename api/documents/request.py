"""The requested report: format, audience and language."""

from typing import Annotated, Any, Literal, NamedTuple

from fastapi import Depends, Path, Query, Request

from api.http.content_negotiation import REPORT_FORMATS, find_format_by_suffix, negotiate_format
from api.problems import PROBLEM_MEDIA_TYPE, ProblemBody
from reports.formats import MEDIA_TYPES, Format, Kind
from reports.phrases import languages


class DocumentRequest(NamedTuple):
    """Requested report: format, audience, language."""

    format: Format = "pdf"
    audience: Kind = "clinician"
    language: str | None = None


Language: Any = Literal[languages()]
AudienceParameter = Annotated[Kind, Query(examples=["clinician"])]
LocaleParameter = Annotated[Language | None, Query(examples=["en"])]
SuffixParameter = Annotated[Literal["pdf", "html", "rtf", "txt", "xml"], Path(examples=["pdf"])]


async def _by_accept(
    request: Request, document: AudienceParameter = "clinician", locale: LocaleParameter = None
) -> DocumentRequest:
    return DocumentRequest(negotiate_format(request.headers.get("accept")), document, locale)


async def _by_suffix(
    suffix: SuffixParameter,
    document: AudienceParameter = "clinician",
    locale: LocaleParameter = None,
) -> DocumentRequest:
    return DocumentRequest(find_format_by_suffix(f".{suffix}"), document, locale)


async def _as_note(locale: LocaleParameter = None) -> DocumentRequest:
    return DocumentRequest("note", "clinician", locale)


DocumentByAccept = Annotated[DocumentRequest, Depends(_by_accept)]
DocumentBySuffix = Annotated[DocumentRequest, Depends(_by_suffix)]
NoteRequest = Annotated[DocumentRequest, Depends(_as_note)]

_NOT_ACCEPTABLE: dict[int | str, dict[str, Any]] = {
    406: {
        "description": "Unknown format, or the rulebook is not translated into this language",
        "content": {
            PROBLEM_MEDIA_TYPE: {"schema": {"$ref": f"#/components/schemas/{ProblemBody.__name__}"}}
        },
    }
}
DOCUMENT_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The document",
        "content": {
            MEDIA_TYPES[form].split(";")[0]: {
                "schema": {"type": "string"} | ({"format": "binary"} if form == "pdf" else {})
            }
            for form in REPORT_FORMATS
        },
    },
    **_NOT_ACCEPTABLE,
}
NOTE_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {"description": "The note", "content": {"text/plain": {"schema": {"type": "string"}}}},
    **_NOT_ACCEPTABLE,
}
