"""The desk: a clinician asks and marks; a new screening, or one that replaces another."""

import json
from typing import Annotated

from fastapi import APIRouter, Query, Response

from api.dependencies import Rulebooks, ScreeningId
from api.desk.answer_form import PATIENT, Answered, Sheet, answered, sheet, written
from api.desk.screening_rows import Names, instruments
from api.desk.session_guard import AtDesk, Desk, Form, desk_route
from api.forms.answer_parser import Marks
from api.intakes import reader
from api.problems import Problem
from api.store import idempotency
from api.store.forms import form_settings
from api.store.idempotency import Answer
from api.store.screenings import screenings
from api.store.transaction import Transaction
from api.web.page_route import Fields, only
from schemas.screening import Screening
from scoring.catalogue import Catalogue, UnknownRulebookError

HERE = "/desk/screenings"
_KEEPING = "POST /desk/new"
router = APIRouter(route_class=desk_route("screenings:write"))


@router.get("/desk/new")
def ask(
    desk: AtDesk, rulebooks: Rulebooks, rulebook: Annotated[str, Query(max_length=60)] = ""
) -> Response:
    """Which instrument; then all of its questions."""
    if not rulebook:
        choices = instruments(rulebooks, Names(rulebooks, desk.language, desk.clock))
        return desk.show("new", choices=choices)
    page = _sheet(desk, rulebooks, rulebook)
    return _shown(desk, page, page.kept({}), {}, {"once": idempotency.new_name()})


@router.post("/desk/new")
def keep(
    desk: AtDesk,
    rulebooks: Rulebooks,
    fields: Form,
    rulebook: Annotated[str, Query(max_length=60)] = "",
) -> Response:
    """Kept by the path of `POST /v1/screenings`, once, however often it is sent."""
    page = _sheet(desk, rulebooks, rulebook)
    given = answered(rulebooks, desk, page, fields, None)
    if given.faults:
        return _again(desk, page, fields, given)
    scored = reader.kept(rulebooks, given.intake, given.intake.patient, "form")

    def made(work: Transaction) -> Answer:
        screening = screenings.add(work, scored)
        work.audit("create", "screening", screening.id)
        return Answer(201, b"", f"{HERE}/{screening.id}", screening.id)

    once = only(fields, "once")[:60]
    turn = desk.actor.organisation, desk.actor.id, _KEEPING, once
    with idempotency.in_turn(desk.store.under_way, turn), desk.acts.transaction() as work:
        told = json.dumps(fields, sort_keys=True).encode()
        named = idempotency.named(work, _KEEPING, once, told)
        answer = idempotency.once(work, named, lambda: made(work))
    return desk.go(answer.location or "/desk")


@router.get(HERE + "/{screening}/answers")
def look_through(desk: AtDesk, rulebooks: Rulebooks, screening: ScreeningId) -> Response:
    """All questions with what was answered."""
    original = _original(desk, screening)
    page = _sheet(desk, rulebooks, original.assessment.rulebook)
    note = {"note": original.context.note or ""}
    return _shown(desk, page, page.kept(original.answers), {}, note, original)


@router.post(HERE + "/{screening}/answers")
def amend(desk: AtDesk, rulebooks: Rulebooks, screening: ScreeningId, fields: Form) -> Response:
    """A new screening that replaces this one, as `POST /v1/screenings/{id}/amendments` makes it."""
    original = _original(desk, screening)
    page = _sheet(desk, rulebooks, original.assessment.rulebook)
    given = answered(rulebooks, desk, page, fields, original)
    if given.faults:
        return _again(desk, page, fields, given, original)
    scored = reader.kept(rulebooks, given.intake, original.patient, "form")
    with desk.acts.transaction() as work:
        amended = screenings.amend(work, screenings.found(work, screening), scored)
        work.audit("amend", "screening", amended.id)
    return desk.go(f"{HERE}/{amended.id}")


def _original(desk: Desk, screening: str) -> Screening:
    with desk.acts.transaction() as work:
        found = screenings.found(work, screening)
        work.audit("read", "screening", screening)
    return found


def _sheet(desk: Desk, rulebooks: Catalogue, name: str) -> Sheet:
    with desk.acts.transaction() as work:
        adversity = form_settings.own(work).adversity_questions
        work.audit("read", "form_settings")
    try:
        return sheet(rulebooks, name, desk, adversity=adversity)
    except UnknownRulebookError:
        raise Problem("not_found") from None


def _again(
    desk: Desk, page: Sheet, fields: Fields, given: Answered, original: Screening | None = None
) -> Response:
    names = ("note", "once", *PATIENT)
    values = {each: written(fields, each) for each in names}
    return _shown(desk, page, page.sent(fields), given.faults, values, original)


def _shown(  # noqa: PLR0913, PLR0917 - all that the page shows
    desk: Desk,
    page: Sheet,
    marks: list[Marks],
    faults: dict[str, str],
    values: dict[str, str],
    original: Screening | None = None,
) -> Response:
    return desk.show(
        "answers",
        422 if faults else 200,
        **page.shown(marks, faults, open_=original is None),
        original=original,
        patient=original.patient if original else None,
        values={"note": "", "once": ""} | dict.fromkeys(PATIENT, "") | values,
        action=f"{HERE}/{original.id}/answers" if original else _new(page),
        back=f"{HERE}/{original.id}" if original else "/desk",
    )


def _new(page: Sheet) -> str:
    return f"/desk/new?rulebook={page.rulebook.rulebook.rulebook.instrument}"
