"""QuestionnaireResponses come in: scored at once and kept, corrected by an update."""

import json
import re
from typing import Annotated, Any
from urllib.parse import unquote

from fastapi import APIRouter, Header, Response

from api.dependencies import Acting, Creating, Rulebooks
from api.fhir.elements import Resource, Version
from api.fhir.http import (
    AtBase,
    Forms,
    InJson,
    ResourceIn,
    ScreeningId,
    fhir_guarded,
    outcomes,
    resources,
    response_of,
    sent,
    version_headers,
    version_of,
)
from api.fhir.parsing.client_scores import differences
from api.fhir.parsing.response_to_intake import HERE, Received, received
from api.fhir.resources.operation_outcome import Issue, Outcome, all_is_well, operation_outcome
from api.fhir.search import id_named_by
from api.http.error_responses import TAKING
from api.problems import Problem
from api.store.idempotency import Answer
from api.store.screenings import screenings
from api.store.screenings.screenings import Kept
from api.store.screenings.versions import lineage
from api.store.transaction import Transaction
from schemas.patient import READABLE
from schemas.screening import Screening
from scoring.catalogue import Catalogue
from scoring.engine import assess

router = APIRouter(
    prefix=f"/fhir/{HERE}",
    tags=["FHIR"],
    route_class=fhir_guarded("screenings:write"),
    dependencies=[InJson],
)
Prefer = Annotated[
    str | None,
    Header(
        max_length=200,
        pattern=READABLE,
        description="`return=minimal`, `return=representation` or `return=OperationOutcome`.",
        examples=["return=representation"],
    ),
]
IfNoneExist = Annotated[
    str | None,
    Header(
        alias="If-None-Exist",
        max_length=1000,
        pattern=r"^\??identifier=([^|&\s]*\||[^|&\s]*%7[Cc])?[^|&\s]+$",
        description="`identifier=system|value`, as the response itself names it.",
        examples=["identifier=urn:oid:1.2.3.4|response-1"],
    ),
]
IfMatch = Annotated[
    str | None,
    Header(
        alias="If-Match",
        max_length=200,
        pattern=READABLE,
        description="The version that is corrected.",
        examples=['W/"1"'],
    ),
]
_RETURN = re.compile(r"\breturn\s*=\s*\"?(minimal|representation|OperationOutcome)\b")


@router.post(
    "",
    operation_id="create_response",
    status_code=201,
    response_class=Response,
    responses={
        **resources(HERE, 201),
        200: {"description": "There is one of this identifier; nothing was kept"},
        **outcomes(*TAKING, 406, 409, 412),
    },
    summary="Score a response and keep it",
)
def create(  # noqa: PLR0913 - FastAPI passes what a route needs as parameters
    resource: ResourceIn,
    *,
    all_forms: Forms,
    rulebooks: Rulebooks,
    creating: Creating,
    base: AtBase,
    unless: IfNoneExist = None,
    prefer: Prefer = None,
) -> Response:
    """Totals and weights that the client computed are ignored; each difference is told.

    An identifier names one response: with `If-None-Exist` a second one is answered by the first.
    """
    given = received(resource, all_forms, patient_needed=True)
    _check_condition(unless, given)
    kept, warnings = _scored(given)

    def made(work: Transaction) -> Answer:
        named = _named(work, given)
        existing = _existing(work, named)  # once: another may be faster between two looks
        if existing is not None and unless is not None:
            work.audit("read", "screening", existing[0].id)
            return _answer(200, version_of(existing, rulebooks, base), rulebooks)
        if existing is not None:
            taken = Issue("duplicate", "names a response that is kept", f"{HERE}.identifier")
            raise Outcome("conflict", [taken])
        screening = screenings.add(work, kept, named=named)
        work.audit("create", "screening", screening.id)
        return _answer(201, version_of([screening], rulebooks, base), rulebooks)

    try:
        response = creating.once(made)
    except Problem as problem:
        if problem.code != "conflict" or unless is None or isinstance(problem, Outcome):
            raise
        response = creating.once(made)  # another was faster: its response is there now
    return _preferred(response, prefer, warnings)


@router.put(
    "/{screening}",
    operation_id="update_response",
    response_class=Response,
    responses={**resources(HERE), **outcomes(*TAKING, 404, 406, 409, 412)},
    summary="Correct a response by a new version",
)
def update(  # noqa: PLR0913 - as above
    screening: ScreeningId,
    *,
    resource: ResourceIn,
    acts: Acting,
    all_forms: Forms,
    rulebooks: Rulebooks,
    base: AtBase,
    known: IfMatch = None,
    prefer: Prefer = None,
) -> Response:
    """Scored anew and kept as a screening that replaces the one before, which stays readable."""
    given = received(resource, all_forms, patient_needed=True)
    kept, warnings = _scored(given)
    with acts.transaction() as work:
        found = lineage(work, screening)
        current = version_of(found, rulebooks, base)
        _check_match(known, current)
        _check_same(resource, given, found[0])
        amended = screenings.amend(work, found[-1], kept)
        work.audit("amend", "screening", amended.id)
        answer = _answer(200, version_of([*found, amended], rulebooks, base), rulebooks)
    made = Response(answer.body, 200, {"Location": answer.location or ""})
    return _preferred(made, prefer, warnings)


def _scored(given: Received) -> tuple[Kept, list[Issue]]:
    """What is kept of a response, and where the client had computed something else."""
    assessment = assess(given.form.loaded, given.answers, attested=given.attested)
    warnings = differences(given.claims, given.form.loaded, assessment)
    context, patient = given.context, given.patient
    if context.fhir is None or patient is None:
        raise RuntimeError("a response that is kept names its patient")
    said = context.fhir.model_copy(update={"differences": tuple(each.text for each in warnings)})
    context = context.model_copy(update={"fhir": said})
    return Kept(patient, context, given.answers_as_sent, assessment, "fhir"), warnings


def _named(work: Transaction, given: Received) -> str | None:
    """The id of the response that this identifier names; None where it has none."""
    fhir = given.context.fhir
    if fhir is None or fhir.identifier_value is None:
        return None
    return id_named_by(work, fhir.identifier_system, fhir.identifier_value)


def _existing(work: Transaction, named: str | None) -> list[Screening] | None:
    try:
        return lineage(work, named) if named is not None else None
    except Problem:
        return None


def _check_condition(unless: str | None, given: Received) -> None:
    """`If-None-Exist` must name the response that is sent: nothing else could be kept once."""
    if unless is None:
        return
    system, _, value = unquote(unless.removeprefix("?").removeprefix("identifier=")).rpartition("|")
    fhir = given.context.fhir
    own = (fhir.identifier_system, fhir.identifier_value) if fhir else (None, None)
    if own != (system or None, value):
        text = "must be the one that If-None-Exist names"
        raise Outcome("stale", [Issue("business-rule", text, f"{HERE}.identifier")])


def _check_match(known: str | None, current: Version) -> None:
    if known is None:
        raise Problem("no_version")
    if known.strip().removeprefix("W/").strip('"') != str(current.number):
        raise Problem("stale")


def _check_same(resource: Resource, given: Received, first: Screening) -> None:
    """A correction has the id of what it corrects, and its identifier if that had one."""
    if resource.get("id", first.id) != first.id:
        text = "must be the id in the address"
        raise Outcome("wrong_shape", [Issue("invariant", text, f"{HERE}.id")])
    fhir, before = given.context.fhir, first.context.fhir
    own = (fhir.identifier_system, fhir.identifier_value) if fhir else (None, None)
    its = (before.identifier_system, before.identifier_value) if before else (None, None)
    if own != its and (own[1] is None or its[1] is not None):
        text = "must stay the one that the first version has"
        raise Outcome("conflict", [Issue("conflict", text, f"{HERE}.identifier")])


def _answer(status: int, version: Version, rulebooks: Catalogue) -> Answer:
    told = response_of(version, rulebooks)
    location = f"{version.base.url}/{HERE}/{version.first}/_history/{version.number}"
    body = json.dumps(told, ensure_ascii=False, separators=(",", ":")).encode()
    return Answer(status, body, location, version.screening.id)


def _preferred(made: Response, prefer: str | None, warnings: list[Issue]) -> Response:
    """What was done, told as the client prefers; by default the resource."""
    told: dict[str, Any] = json.loads(bytes(made.body))
    wanted = _RETURN.search(prefer or "")
    headers = {name: made.headers[name] for name in _KEPT if name in made.headers}
    headers |= version_headers(told)
    match wanted[1] if wanted else None:
        case "minimal":
            return Response(status_code=made.status_code, headers=headers)
        case "OperationOutcome":
            outcome = operation_outcome(warnings) if warnings else all_is_well()
            return sent(outcome, status=made.status_code, **headers)
    return sent(told, status=made.status_code, **headers)


_KEPT = ("location", "idempotency-replayed")
