"""Scoring without keeping: an intake in, its assessment, report or note out. Nothing is stored."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Body, Path, Request, Response

from api.bodies import any_intake
from api.deps import TAKING, Calling, Reports, Rulebooks, guarded, printed, refusals
from api.negotiation import OFFERED, by_accept, by_suffix
from api.papers import paper_of_intake, sent
from api.problems import MEDIA_TYPE, ProblemBody
from reports.formats import MEDIA_TYPES, Kind
from reports.wording import languages
from schemas.assessment import Assessment
from scoring.catalogue import Catalogue
from scoring.engine import assess

Suffix = Annotated[Literal["pdf", "html", "rtf", "txt", "xml"], Path(examples=["pdf"])]
PROBLEM = {MEDIA_TYPE: {"schema": {"$ref": f"#/components/schemas/{ProblemBody.__name__}"}}}
DOCUMENTS = {
    MEDIA_TYPES[form].split(";")[0]: {
        "schema": {"type": "string"} | ({"format": "binary"} if form == "pdf" else {})
    }
    for form in OFFERED
}


def router(catalogue: Catalogue) -> APIRouter:
    """The routes, typed by the rulebooks in use."""
    routes = APIRouter(prefix="/v1/score", tags=["score"], route_class=guarded("score"))
    language: Any = Literal[languages()]
    intake_type: Any = Annotated[any_intake(catalogue.scored()), Body()]

    @routes.post(
        "",
        operation_id="score",
        response_model=Assessment,
        responses=refusals(*TAKING),
        summary="Score an intake",
    )
    def score(intake: intake_type, rulebooks: Rulebooks) -> Response:
        """The assessment of one intake. Patient, clinician and note are not scored nor echoed."""
        answers = intake.answers.model_dump(exclude_none=True)
        loaded = rulebooks.active(intake.rulebook)
        assessment = assess(loaded, answers, attested=intake.attested)
        return Response(assessment.model_dump_json(by_alias=True), media_type="application/json")

    made = {
        200: {"description": "The document", "content": DOCUMENTS},
        **refusals(*TAKING),
        406: {"description": "`Accept` names no format on offer", "content": PROBLEM},
    }

    @routes.post(
        "/report",
        operation_id="score_report",
        response_class=Response,
        responses=made,
        summary="Score an intake into a report",
    )
    def report(  # noqa: PLR0913 - FastAPI passes what a route needs as parameters
        request: Request,
        intake: intake_type,
        *,
        rulebooks: Rulebooks,
        reports: Reports,
        caller: Calling,
        document: Kind = "clinician",
        locale: language = "en",
    ) -> Response:
        """The report of one intake, bearing the patient where one was given.

        `Accept` chooses PDF, HTML, RTF, plain text or CDA; PDF where it takes all. `document` is
        the clinician's report or the patient's sheet.
        """
        form = by_accept(request.headers.get("accept"))
        chosen = {"form": form, "kind": document, "language": locale}
        return sent(paper_of_intake(rulebooks, printed(caller), reports, intake, **chosen))

    @routes.post(
        "/report.{suffix}",
        operation_id="score_report_as",
        response_class=Response,
        responses={each: made[each] for each in made if each != 406},
        summary="Score an intake into a report of this format",
    )
    def report_as(  # noqa: PLR0913 - as above
        suffix: Suffix,
        intake: intake_type,
        *,
        rulebooks: Rulebooks,
        reports: Reports,
        caller: Calling,
        document: Kind = "clinician",
        locale: language = "en",
    ) -> Response:
        """The same, in the format that the address ends with, whatever `Accept` says."""
        form = by_suffix(f".{suffix}")
        chosen = {"form": form, "kind": document, "language": locale}
        return sent(paper_of_intake(rulebooks, printed(caller), reports, intake, **chosen))

    @routes.post(
        "/note",
        operation_id="score_note",
        response_class=Response,
        responses={
            200: {
                "description": "The note",
                "content": {"text/plain": {"schema": {"type": "string"}}},
            },
            **refusals(*TAKING),
        },
        summary="Score an intake into a note",
    )
    def score_note(
        intake: intake_type,
        *,
        rulebooks: Rulebooks,
        reports: Reports,
        caller: Calling,
        locale: language = "en",
    ) -> Response:
        """A few lines of plain text, ready to paste into a chart."""
        chosen: dict[str, Any] = {"form": "note", "language": locale}
        made = paper_of_intake(rulebooks, printed(caller), reports, intake, **chosen)
        return Response(made.content, media_type=made.media_type)

    return routes
