"""Parameters of the FHIR routes: ids, headers, bodies, search parameters, dependencies."""

import re
from typing import Annotated, Any, Literal

from fastapi import Body, Depends, Header, Path, Query, Request
from pydantic import AfterValidator

from api.auth.services import find_services
from api.dependencies import CatalogueDep, SettingsDep
from api.fhir.definitions.device import build_device_id
from api.fhir.definitions.terminology import CodeList, list_code_lists
from api.fhir.elements import FHIR_JSON, ID_PATTERN, JSON_PATCH, CanonicalUrls, build_canonical_urls
from api.fhir.questionnaire_catalogue import QuestionnaireForm, list_questionnaire_forms
from api.fhir.resources.document_reference import ReportType
from api.fhir.writing.prepared_write import Publication
from api.problems import Problem
from api.store.screenings.screenings import SOFTWARE_VERSION
from schemas.canonical import CANONICAL_BASE
from schemas.text import READABLE


def _require_pattern(pattern: str) -> AfterValidator:
    """Return a validator that raises Problem `not_found` for an id of another form."""

    def check(text: str) -> str:
        if not re.fullmatch(pattern, text):
            raise Problem("not_found")
        return text

    return AfterValidator(check)


ScreeningId = Annotated[
    str,
    Path(
        alias="screening",
        description="The id that the service assigned to the screening.",
        examples=["6f6f6f6f-0000-4000-8000-000000000001"],
    ),
    _require_pattern(r"[0-9a-f-]{36}"),
]
VersionNumber = Annotated[
    str, Path(alias="number", examples=["1"]), _require_pattern(r"[1-9][0-9]{0,8}")
]
FormId = Annotated[str, Path(examples=["nociplastic"])]
DeviceId = Annotated[
    str,
    Path(
        alias="device",
        description="`nociscreen-` and the version of the service.",
        examples=[build_device_id(SOFTWARE_VERSION)],
    ),
]
CodeListId = Annotated[str, Path(examples=["phq4-band"])]
CodeListInstrument = Annotated[str, Path(examples=["phq4"])]
CodeListPart = Annotated[str, Path(examples=["band"])]
FormVersion = Annotated[str, Path(examples=["1.0.0"])]

IfNoneMatch = Annotated[
    str | None, Header(alias="If-None-Match", max_length=200, examples=['W/"7"'])
]
IfMatch = Annotated[
    str | None,
    Header(
        alias="If-Match",
        max_length=200,
        pattern=READABLE,
        description="The ETag of the version to correct.",
        examples=['W/"1"'],
    ),
]
IfNoneExist = Annotated[
    str | None,
    Header(
        alias="If-None-Exist",
        max_length=1000,
        pattern=r"^\??identifier=([^|&\s]*\||[^|&\s]*%7[Cc])?[^|&\s]+$",
        description="`identifier=system|value`, the same as in the response.",
        examples=["identifier=urn:oid:1.2.3.4|response-1"],
    ),
]
_IDENTIFIER = Query(
    alias="identifier",
    max_length=400,
    pattern=r"^[^|]*\|?[^|]+$",
    description="`system|value`, the same as in the response.",
    examples=["urn:oid:1.2.3.4|response-1"],
)
IdentifierCondition = Annotated[str, _IDENTIFIER]
OptionalIdentifierCondition = Annotated[str | None, _IDENTIFIER]
Prefer = Annotated[
    str | None,
    Header(
        max_length=200,
        pattern=READABLE,
        description="`return=minimal`, `return=representation` or `return=OperationOutcome`.",
        examples=["return=representation"],
    ),
]


def _resource_body(description: str, *required: str) -> Any:
    """A body in FHIR JSON that must have a type, and these members of text."""
    names = ("resourceType", *required)
    return Body(
        media_type=FHIR_JSON,
        json_schema_extra={
            "required": list(names),
            "properties": {name: {"type": "string"} for name in names},
        },
        description=description,
    )


ResourceBody = Annotated[
    dict[str, Any],
    _resource_body("A resource that answers one of the published questionnaires."),
]

ParametersBody = Annotated[
    dict[str, Any],
    _resource_body("Parameters with the patient as `subject` (`valueReference`)."),
]
SubscriptionBody = Annotated[
    dict[str, Any],
    _resource_body("A Subscription with a topic of this server as `criteria`."),
]
PatchBody = Annotated[
    list[dict[str, Any]],
    Body(media_type=JSON_PATCH, description="The operations of RFC 6902, at most 50."),
]
BundleBody = Annotated[
    dict[str, Any],
    _resource_body("A Bundle of type `batch` or `transaction` with at most 100 entries.", "type"),
]


def _page_size(maximum: int) -> Any:
    return Query(
        alias="_count",
        ge=1,
        le=maximum,
        description=f"The maximum number of entries on a page, up to {maximum}.",
        examples=[20],
    )


def id_query(example: str, description: str | None = None) -> Any:
    """Return the search parameter `_id` of a type of resource."""
    return Query(
        alias="_id", pattern=f"^{ID_PATTERN}$", description=description, examples=[example]
    )


def url_query(path: str) -> Any:
    """Return the search parameter `url` of a type of resource; the path is of its example."""
    return Query(
        alias="url",
        max_length=400,
        description="The canonical URL, with or without the version.",
        examples=[f"{CANONICAL_BASE}/fhir/{path}"],
    )


PageSize = Annotated[int, _page_size(100)]
AuditPageSize = Annotated[int, _page_size(1000)]
_PAGE = "The cursor from the `next` link of a page."
PagePosition = Annotated[
    int, Query(alias="_page", ge=0, le=10**15 - 1, description=_PAGE, examples=[0])
]
FormIdFilter = Annotated[str | None, id_query("nociplastic")]
FormUrlFilter = Annotated[str | None, url_query("Questionnaire/nociplastic")]
CodeListIdFilter = Annotated[str | None, id_query("phq4-band")]
CodeSystemUrlFilter = Annotated[str | None, url_query("CodeSystem/phq4/band")]
ValueSetUrlFilter = Annotated[str | None, url_query("ValueSet/phq4/band")]
ConceptMapId = Annotated[
    str,
    Path(alias="concept_map", description="The instrument and `-loinc`.", examples=["phq4-loinc"]),
]
ConceptMapIdFilter = Annotated[str | None, id_query("phq4-loinc", "The instrument and `-loinc`.")]
ConceptMapUrlFilter = Annotated[str | None, url_query("ConceptMap/phq4-loinc")]
FormVersionFilter = Annotated[str | None, Query(alias="version", max_length=14, examples=["1.0.0"])]
FormStatusFilter = Annotated[
    Literal["draft", "active", "retired", "unknown"] | None,
    Query(
        alias="status",
        description="No published questionnaire is `draft` or `unknown`.",
        examples=["active"],
    ),
]


async def _canonical_urls(request: Request) -> CanonicalUrls:
    services = find_services(request)
    return build_canonical_urls(services.settings.public_url, services.store.canonical_bases)


async def _report_type(settings: SettingsDep) -> ReportType:
    return ReportType(settings.report_loinc_code, settings.report_loinc_display)


CanonicalUrlsDep = Annotated[CanonicalUrls, Depends(_canonical_urls)]
ReportTypeDep = Annotated[ReportType, Depends(_report_type)]


async def _list_forms(rulebooks: CatalogueDep, urls: CanonicalUrlsDep) -> list[QuestionnaireForm]:
    return list_questionnaire_forms(rulebooks, urls)


async def _list_code_lists(rulebooks: CatalogueDep, urls: CanonicalUrlsDep) -> list[CodeList]:
    return list_code_lists(rulebooks, urls)


async def _publication(
    all_forms: "FormsDep", rulebooks: CatalogueDep, urls: CanonicalUrlsDep
) -> Publication:
    return Publication(all_forms, rulebooks, urls)


PublicationDep = Annotated[Publication, Depends(_publication)]
CodeListsDep = Annotated[list[CodeList], Depends(_list_code_lists)]
FormsDep = Annotated[list[QuestionnaireForm], Depends(_list_forms)]
