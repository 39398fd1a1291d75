"""What there is to be asked, open to all: capabilities, questionnaires, our own operation."""

from importlib.metadata import version as installed
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Path, Query, Request, Response

from api.auth.route_guard import check_query
from api.fhir.elements import ID
from api.fhir.http import (
    NOT_CHANGED,
    AtBase,
    DefinedId,
    Forms,
    InJson,
    Known,
    outcomes,
    resources,
    sent,
)
from api.fhir.questionnaire_catalogue import newest
from api.fhir.resources.capability_statement import SCORE, capability_statement, score_definition
from api.fhir.resources.questionnaire import questionnaire
from api.fhir.search import paged
from api.fhir.search_routing import search_routes
from api.problems import Problem

router = APIRouter(prefix="/fhir", tags=["FHIR"], dependencies=[InJson])
RELEASED = "2026-11-24"
Name = Annotated[DefinedId, Path(examples=["nociplastic"])]
Number = Annotated[DefinedId, Path(examples=["1.0.0"])]
Definition = Annotated[DefinedId, Path(examples=[SCORE])]
Status = Annotated[
    Literal["draft", "active", "retired", "unknown"] | None,
    Query(description="None here is a draft or unknown.", examples=["active"]),
]
NameAsked = Annotated[str | None, Query(alias="_id", pattern=f"^{ID}$", examples=["nociplastic"])]
Count = Annotated[
    str,
    Query(
        alias="_count",
        pattern=r"^([1-9][0-9]?|100)$",
        description="At most so many at once, up to 100.",
        examples=["100"],
    ),
]
After = Annotated[
    str,
    Query(
        alias="_page",
        pattern=r"^[0-9]{1,4}$",
        description="From the link `next` of a page.",
        examples=["0"],
    ),
]
Url = Annotated[
    str | None,
    Query(
        max_length=400,
        description="The canonical address, with its version or without.",
        examples=["http://127.0.0.1:8000/fhir/Questionnaire/nociplastic"],
    ),
]
NumberAsked = Annotated[str | None, Query(max_length=14, examples=["1.0.0"])]
_SEARCHED_BY = frozenset({"_id", "url", "version", "status", "_count", "_page", "_format"})


async def _by_these_alone(request: Request) -> None:
    check_query(request, _SEARCHED_BY)


@router.get(
    "/metadata",
    operation_id="read_capabilities",
    response_class=Response,
    responses=resources("CapabilityStatement") | outcomes(406, 422),
    summary="What the FHIR server can do",
)
def read_capabilities(base: AtBase) -> Response:
    """The CapabilityStatement: FHIR R4, JSON."""
    return sent(capability_statement(base, installed("nociscreen"), RELEASED))


@router.get(
    "/OperationDefinition/{definition}",
    operation_id="read_operation_definition",
    response_class=Response,
    responses=resources("OperationDefinition") | outcomes(404, 406, 422),
    summary="What our own operation takes and gives",
)
def read_operation_definition(definition: Definition, base: AtBase) -> Response:
    """`$score` is the only operation that no standard defines."""
    if definition != SCORE:
        raise Problem("not_found")
    return sent(score_definition(base, installed("nociscreen")))


@search_routes(
    router,
    "/Questionnaire",
    "questionnaires",
    scope=None,
    summary="Search the questionnaires",
    dependencies=[Depends(_by_these_alone)],
)
def search_questionnaires(  # noqa: PLR0913 - FastAPI passes what a route needs as parameters
    all_forms: Forms,
    base: AtBase,
    *,
    name: NameAsked = None,
    url: Url = None,
    version: NumberAsked = None,
    status: Status = None,
    count: Count = "100",
    after: After = "0",
) -> Response:
    """One for each version of each rulebook, for clinicians and for patients."""
    asked = {"_id": name, "url": url, "version": version, "status": status, "_count": count}
    given = {key: each for key, each in asked.items() if each is not None}
    found = [
        form
        for form in all_forms
        if name in (None, form.id)
        and url in (None, form.url, form.canonical)
        and version in (None, form.entry.version)
        and status in (None, form.entry.status)
    ]
    end = int(after) + int(count)
    shown = [questionnaire(form) for form in found[int(after) : end]]
    following = given | {"_page": str(end)} if found[end:] else None
    return paged(shown, base, "Questionnaire", given | {"_page": after}, following)


@router.get(
    "/Questionnaire/{form}",
    operation_id="read_questionnaire",
    response_class=Response,
    responses=resources("Questionnaire") | NOT_CHANGED | outcomes(404, 406, 422),
    summary="The newest version of a questionnaire",
)
def read_questionnaire(form: Name, all_forms: Forms, known: Known = None) -> Response:
    """What is asked; for clinicians, with what each answer weighs."""
    found = newest([each for each in all_forms if each.id == form])
    if found is None:
        raise Problem("not_found")
    return sent(questionnaire(found), known=known)


@router.get(
    "/Questionnaire/{form}/_history/{version}",
    operation_id="read_questionnaire_version",
    response_class=Response,
    responses=resources("Questionnaire") | NOT_CHANGED | outcomes(404, 406, 422),
    summary="One version of a questionnaire",
)
def read_questionnaire_version(
    form: Name, version: Number, all_forms: Forms, known: Known = None
) -> Response:
    """A version never changes."""
    found = newest([each for each in all_forms if (each.id, each.entry.version) == (form, version)])
    if found is None:
        raise Problem("not_found")
    return sent(questionnaire(found), known=known)
