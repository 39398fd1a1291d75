"""The requested report: format, audience and language."""

from typing import Annotated, Any, Literal, NamedTuple

from fastapi import Depends, Path, Query, Request
from pydantic import BeforeValidator

from api.http.content_negotiation import (
    negotiate_language,
    require_media_type,
)
from api.problems import PROBLEM_MEDIA_TYPE, Problem, ProblemBody
from reports.formats import MEDIA_TYPES, SUFFIXES, DocumentKind, ReportFormat
from reports.phrases import list_languages
from reports.view.editions import Edition

REPORT_FORMATS: tuple[ReportFormat, ...] = ("pdf", "html", "rtf", "txt", "xml")
"""The formats of a report, the preferred one first."""
_OFFERED_MEDIA_TYPES: dict[str, ReportFormat] = {
    MEDIA_TYPES[report_format].split(";")[0]: report_format for report_format in REPORT_FORMATS
}
_ALIASES = {
    "text/rtf": "application/rtf",
    "application/xhtml+xml": "text/html",
    "application/xml": "application/hl7-cda+xml",
    "text/xml": "application/hl7-cda+xml",
}


class DocumentRequest(NamedTuple):
    """Requested report: format, audience, language, edition."""

    format: ReportFormat = "pdf"
    audience: DocumentKind = "clinician"
    language: str | None = None
    edition: Edition = "full"


Language: Any = Literal[list_languages()]
AudienceParameter = Annotated[DocumentKind, Query(examples=["clinician"])]


def _drop_region(locale: object) -> object:
    """Return the language of a locale such as `de-AT` (RFC 4647, lookup)."""
    return locale.replace("_", "-").partition("-")[0].lower() if isinstance(locale, str) else locale


LocaleParameter = Annotated[
    Language | None,
    BeforeValidator(_drop_region),
    Query(
        description="The language, with or without a region (`de-AT`). Default: what "
        "`Accept-Language` prefers, else the locale of the letterhead.",
        examples=["en"],
    ),
]


async def _choose_locale(request: Request, locale: LocaleParameter = None) -> str | None:
    accepted = request.headers.get("accept-language")
    if locale is not None or not accepted or accepted.strip() == "*":
        return locale
    return negotiate_language(accepted, list_languages())


ChosenLocale = Annotated[str | None, Depends(_choose_locale)]
EditionParameter = Annotated[
    Edition,
    Query(
        description="`shareable` leaves out answers about the person: safety, self-harm, "
        "adversity, trauma, and what was concluded from them.",
        examples=["full"],
    ),
]
SuffixParameter = Annotated[Literal["pdf", "html", "rtf", "txt", "xml"], Path(examples=["pdf"])]


def negotiate_report_format(accept: str | None) -> ReportFormat:
    """Return the format that `Accept` prefers; PDF if it accepts all. Raises Problem 406."""
    return _OFFERED_MEDIA_TYPES[require_media_type(accept, _OFFERED_MEDIA_TYPES, _ALIASES)]


def find_format_by_suffix(suffix: str) -> ReportFormat:
    """Return the format of a suffix that includes its dot. Raises Problem 404."""
    for report_format in REPORT_FORMATS:
        if SUFFIXES[report_format] == suffix:
            return report_format
    raise Problem("not_found")


async def _by_accept(
    request: Request,
    locale: ChosenLocale,
    document: AudienceParameter = "clinician",
    edition: EditionParameter = "full",
) -> DocumentRequest:
    report_format = negotiate_report_format(request.headers.get("accept"))
    return DocumentRequest(report_format, document, locale, edition)


async def _by_suffix(
    suffix: SuffixParameter,
    locale: ChosenLocale,
    document: AudienceParameter = "clinician",
    edition: EditionParameter = "full",
) -> DocumentRequest:
    return DocumentRequest(find_format_by_suffix(f".{suffix}"), document, locale, edition)


async def _as_note(locale: ChosenLocale, edition: EditionParameter = "full") -> DocumentRequest:
    return DocumentRequest("note", "clinician", locale, edition)


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
            media_type: {
                "schema": {"type": "string"}
                | ({"format": "binary"} if report_format == "pdf" else {})
            }
            for media_type, report_format in _OFFERED_MEDIA_TYPES.items()
        },
    },
    **_NOT_ACCEPTABLE,
}
NOTE_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {"description": "The note", "content": {"text/plain": {"schema": {"type": "string"}}}},
    **_NOT_ACCEPTABLE,
}
