"""Turns: a form that was sent in; what is kept of it, and what is shown then, out.

Each is taken in the transaction that has the link to itself; see `api.forms.page_context`.
"""

from datetime import UTC, datetime
from functools import partial
from typing import Any

from pydantic import TypeAdapter
from starlette.responses import Response

from api.forms import intake_progress as courses
from api.forms import views
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
    """A draft from now on, held by this browser where one alone may go on."""
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
    """The draft with what was answered, and where to go once the advice was read."""
    step = scene.step(number)
    if step is None:
        return scene.elsewhere
    reading = read(step, fields)
    place = max(_following(number, fields, reading), 1)
    if only(fields, "to") == "later" and _is_done(step, reading, fields):
        place = number + 1
    draft = _drafted(scene.course, step, reading, fields)
    kept = keep(work, scene, draft.model_copy(update={"place": place}))
    return partial(_onward, kept, number, fields, reading)


def advised(work: Transaction, scene: Scene, fields: Fields) -> Then:
    """The draft in which these flags were read; others that came meanwhile are shown first."""
    course = scene.begun
    if course is None:
        return scene.elsewhere
    if only(fields, "read") != "yes":
        return partial(views.advising, scene, fault=True)
    if not scene.way.told_of(only(fields, "told"), course.told):
        return scene.elsewhere
    read_now = course.draft.model_copy(update={"seen": course.flags})
    return partial(keep(work, scene, read_now).go, course.place)


def sending(work: Transaction, scene: Scene, to: str, checked: TypeAdapter[Any]) -> Then:
    """The screening, unless something stands before it that is still to be done."""
    course = scene.begun
    if course is None or course.unread:
        return scene.elsewhere
    if to == "back":
        return partial(scene.go, len(course.form.steps))
    if to == "later":
        return partial(views.put_by, scene)
    if course.missing:
        return partial(views.reviewing, scene, missing=True)
    told = advice(course.rulebook, course.form, course.draft.answers, course.flags)
    _submit(work, scene, checked)
    told_once_more = {"advice": told, "settings": scene.settings}
    return partial(views.sent, scene.way, scene.language, told_once_more)


def _drafted(course: Course, step: Step, reading: Reading, fields: Fields) -> Draft:
    if not step.consent:
        return courses.kept(course, step, reading)
    agreed = only(fields, "adversity")
    if agreed not in ("yes", "no"):
        return course.draft
    return courses.consented(course, adversity=agreed == "yes")


def _is_done(step: Step, reading: Reading, fields: Fields) -> bool:
    """Whether something was said to everything that the step asks."""
    said = reading.answers.keys() | reading.left.keys()
    if step.consent:
        return only(fields, "adversity") in ("yes", "no")
    return all(each.id in said for each in step.asked)


def _following(number: int, fields: Fields, reading: Reading) -> int:
    """The step to go to; faults hold up only who wants to go on."""
    match only(fields, "to"):
        case "back":
            return number - 1
        case "later":
            return number
        case _:
            return number if reading.faults else number + 1


def _onward(scene: Scene, number: int, fields: Fields, reading: Reading) -> Response:
    """On, back or away; unread advice holds up everyone."""
    to = only(fields, "to")
    if scene.course.unread:
        return scene.go("advice")
    if to == "later":
        return views.put_by(scene)
    if reading.faults and to != "back":
        marks = sent_marks(scene.course.form.steps[number - 1], fields)
        return views.asking(scene, number, marks, reading.faults)
    return scene.go(_following(number, fields, reading))


def _submit(work: Transaction, scene: Scene, checked: TypeAdapter[Any]) -> None:
    """Keep the answers by the path of `POST /v1/screenings`, and use the link up."""
    seen = scene.visit
    patient = links.use_up(work, seen.link.id)
    intake = checked.validate_python(_body(seen.link.rulebook, patient, scene.course.draft))
    rulebooks: Catalogue = seen.way.request.app.state.catalogue
    made = screenings.add(work, reader.kept(rulebooks, intake, patient, "form"))
    links.became(work, seen.link.id, made.id)
    work.audit("create", "screening", made.id)
    work.audit("answer", "link", seen.link.id)


def _body(rulebook: str, patient: KnownPatient, draft: Draft) -> dict[str, Any]:
    """The draft as a body of a request."""
    return {
        "rulebook": rulebook,
        "patient": patient,
        "answered_by": "patient",
        "answered_on": datetime.now(UTC).date(),
        "answers": draft.answers,
    }
