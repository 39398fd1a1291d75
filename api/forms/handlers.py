"""Apply the submitted forms of an intake and choose the page to show next.

Each function runs in the transaction that locks the link; see `api.forms.page_context`.
"""

from datetime import UTC, datetime
from functools import partial
from typing import Any

from pydantic import TypeAdapter
from starlette.responses import Response

from api.forms import intake_progress, views
from api.forms.answer_parser import Reading, read, sent_marks
from api.forms.form_model import Step
from api.forms.intake_progress import Course
from api.forms.link_access import hold
from api.forms.page_context import Scene, Then, keep
from api.forms.red_flag_advice import advice
from api.intakes import reader
from api.store.forms import drafts, links
from api.store.screenings import screenings
from api.store.transaction import Transaction
from api.web.page_route import Fields, only
from api.web.page_texts import languages
from api.web.templating import see
from schemas.links import Draft
from schemas.patient import KnownPatient
from scoring.catalogue import Catalogue


def agreed(work: Transaction, scene: Scene, fields: Fields) -> Then:
    """Start a draft after consent; a link of kind `once` is bound to this browser."""
    if scene.begun is not None:
        return scene.elsewhere
    if only(fields, "agree") != "yes":
        return partial(views.first, scene, fault=True)
    link, way, language = scene.visit.link, scene.way, only(fields, "language")
    response = see(way.request, f"{way.base}/1")
    if link.kind == "once":
        links.hold(work, link.id, hold(response, way.request.app.state.settings, link))
    drafts.keep(work, link.id, Draft(language=language if language in languages() else None))
    work.audit("create", "draft", link.id)
    return lambda: response


def answered(work: Transaction, scene: Scene, number: int, fields: Fields) -> Then:
    """Save the answers of a step and the step to go on with."""
    step = scene.step(number)
    if step is None:
        return scene.elsewhere
    reading = read(step, fields)
    place = max(_next_step(number, fields, reading), 1)
    if only(fields, "to") == "later" and _is_complete(step, reading, fields):
        place = number + 1
    draft = _apply_step(scene.course, step, reading, fields)
    updated = keep(work, scene, draft.model_copy(update={"place": place}))
    return partial(_show_next, updated, number, fields, reading)


def advised(work: Transaction, scene: Scene, fields: Fields) -> Then:
    """Save that the advice was read; advice for flags raised in the meantime is shown first."""
    progress = scene.begun
    if progress is None:
        return scene.elsewhere
    if only(fields, "read") != "yes":
        return partial(views.advising, scene, fault=True)
    if not scene.way.told_of(only(fields, "told"), progress.told):
        return scene.elsewhere
    draft = progress.draft.model_copy(update={"seen": progress.flags})
    return partial(keep(work, scene, draft).go, progress.place)


def sending(
    work: Transaction, scene: Scene, destination: str, intake_adapter: TypeAdapter[Any]
) -> Then:
    """Submit the answers as a screening, unless advice or required answers are outstanding."""
    progress = scene.begun
    if progress is None or progress.unread:
        return scene.elsewhere
    if destination == "back":
        return partial(scene.go, len(progress.form.steps))
    if destination == "later":
        return partial(views.put_by, scene)
    if progress.missing:
        return partial(views.reviewing, scene, missing=True)
    reminders = advice(progress.rulebook, progress.form, progress.draft.answers, progress.flags)
    _submit(work, scene, intake_adapter)
    return partial(
        views.sent, scene.way, scene.language, {"advice": reminders, "settings": scene.settings}
    )


def _apply_step(progress: Course, step: Step, reading: Reading, fields: Fields) -> Draft:
    if not step.consent:
        return intake_progress.kept(progress, step, reading)
    reply = only(fields, "adversity")
    if reply not in ("yes", "no"):
        return progress.draft
    return intake_progress.consented(progress, adversity=reply == "yes")


def _is_complete(step: Step, reading: Reading, fields: Fields) -> bool:
    """Return whether every question of the step was answered or deliberately left open."""
    if step.consent:
        return only(fields, "adversity") in ("yes", "no")
    settled = reading.answers.keys() | reading.left.keys()
    return all(question.id in settled for question in step.asked)


def _next_step(number: int, fields: Fields, reading: Reading) -> int:
    """Return the number of the step to go to; faults only block going forward."""
    match only(fields, "to"):
        case "back":
            return number - 1
        case "later":
            return number
        case _:
            return number if reading.faults else number + 1


def _show_next(scene: Scene, number: int, fields: Fields, reading: Reading) -> Response:
    """Respond to a saved step; unacknowledged advice comes before everything else."""
    to = only(fields, "to")
    if scene.course.unread:
        return scene.go("advice")
    if to == "later":
        return views.put_by(scene)
    if reading.faults and to != "back":
        marks = sent_marks(scene.course.form.steps[number - 1], fields)
        return views.asking(scene, number, marks, reading.faults)
    return scene.go(_next_step(number, fields, reading))


def _submit(work: Transaction, scene: Scene, intake_adapter: TypeAdapter[Any]) -> None:
    """Save the answers the way `POST /v1/screenings` does, and use up the link."""
    link, request = scene.visit.link, scene.way.request
    patient = links.use_up(work, link.id)
    body = _build_body(link.rulebook, patient, scene.course.draft)
    intake = intake_adapter.validate_python(body)
    rulebooks: Catalogue = request.app.state.catalogue
    screening = screenings.add(work, reader.kept(rulebooks, intake, patient, "form"))
    links.became(work, link.id, screening.id)
    work.audit("create", "screening", screening.id)
    work.audit("answer", "link", link.id)


def _build_body(rulebook: str, patient: KnownPatient, draft: Draft) -> dict[str, Any]:
    """Return the draft as a request body."""
    return {
        "rulebook": rulebook,
        "patient": patient,
        "answered_by": "patient",
        "answered_on": datetime.now(UTC).date(),
        "answers": draft.answers,
    }
