"""The intake form: one patient answers under one link, page by page, and sends the answers once.

What was sent of a page is kept before the next one is shown. A red flag is shown at once, and
nothing else until its advice was read.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Request, Response
from pydantic import TypeAdapter

from api import intakes
from api.bodies import KeptIntake, any_intake
from api.forms import course as courses
from api.forms import shown
from api.forms.advice import advice
from api.forms.course import Course
from api.forms.form import Step
from api.forms.languages import chosen_language
from api.forms.pages import page, see
from api.forms.reading import Reading, kept_marks, read, sent_marks
from api.forms.routing import Fields, PageRoute, fields_of, only
from api.forms.scene import Scene, keep, scene_of
from api.forms.way import (
    KIOSK,
    KIOSK_SECONDS,
    Way,
    by_address,
    by_device,
    forget,
    hold,
    set_cookie,
    visit,
)
from api.forms.wording import languages
from api.problems import Problem
from api.store import drafts, links, screenings
from schemas.links import Draft
from schemas.patient import KnownPatient
from scoring.catalogue import Catalogue

Sent = Annotated[Fields, Depends(fields_of)]
Number = Annotated[int, Path(ge=1, le=200)]
WayIn = Callable[..., Way]


def router(catalogue: Catalogue) -> APIRouter:
    """The routes of both ways in."""
    routes = APIRouter(route_class=PageRoute)
    checked = TypeAdapter[Any](any_intake(catalogue.scored(), KeptIntake))
    ways: tuple[tuple[str, WayIn], ...] = (
        ("/kiosk/form", by_device),
        ("/intake/{link}", by_address),
    )
    for at, way_in in ways:
        _begin(routes, at, way_in)
        _advise(routes, at, way_in)
        _send(routes, at, way_in, checked)
        _ask(routes, at, way_in)
    _kiosk(routes)
    return routes


def _kiosk(routes: APIRouter) -> None:
    @routes.get("/kiosk")
    def kiosk(request: Request) -> Response:
        """A device between two patients: nothing of anybody is on it."""
        response = page(request, "intake/kiosk.html.j2")
        forget(response)
        return response

    @routes.get("/kiosk/{link}")
    def take_link(request: Request, link: Annotated[str, Path(max_length=100)]) -> Response:
        """The link goes out of the address into a cookie that lasts for minutes."""
        visit(Way(request, "/kiosk/form", link, kiosk=True))
        response = see(request, "/kiosk/form")
        set_cookie(response, request.app.state.settings, (KIOSK, link), KIOSK_SECONDS)
        return response


def _begin(routes: APIRouter, at: str, way_in: WayIn) -> None:
    @routes.get(at)
    def first(way: Annotated[Way, Depends(way_in)]) -> Response:
        """What this is, to what the patient agrees, and what becomes of the answers."""
        return shown.first(scene_of(visit(way)))

    @routes.post(at)
    def begin(way: Annotated[Way, Depends(way_in)], fields: Sent) -> Response:
        """Agreed to: from now on there is a draft; or on where it was stopped."""
        seen = visit(way)
        way.check(only(fields, "token"))
        scene = scene_of(seen)
        if scene.begun is not None:
            return scene.elsewhere()
        if only(fields, "agree") != "yes":
            return shown.first(scene, fault=True)
        response = see(way.request, f"{way.base}/1")
        language = only(fields, "language")
        begun = Draft(language=language if language in languages() else None)
        with way.store.transaction(seen.actor) as work:
            if seen.link.kind == "once":
                holder = hold(response, way.request.app.state.settings, seen.link)
                links.hold(work, seen.link.id, holder)
            drafts.keep(work, seen.link.id, begun)
            work.audit("create", "draft", seen.link.id)
        return response


def _ask(routes: APIRouter, at: str, way_in: WayIn) -> None:
    @routes.get(at + "/{number}")
    def ask(way: Annotated[Way, Depends(way_in)], number: Number) -> Response:
        """One step, as it was left."""
        scene = scene_of(visit(way))
        step = scene.step(number)
        if step is None:
            return scene.elsewhere()
        draft = scene.course.draft
        return shown.asking(scene, number, kept_marks(step, draft.answers, draft.left), {})

    @routes.post(at + "/{number}")
    def answer(way: Annotated[Way, Depends(way_in)], number: Number, fields: Sent) -> Response:
        """What was answered is kept; then on, back, or away for now."""
        seen = visit(way)
        way.check(only(fields, "token"))
        scene = scene_of(seen)
        step = scene.step(number)
        if step is None:
            return scene.elsewhere()
        reading = read(step, fields)
        place = max(_following(number, fields, reading), 1)
        if only(fields, "to") == "later" and _is_done(step, reading, fields):
            place = number + 1
        draft = _drafted(scene.course, step, reading, fields)
        scene = keep(scene, draft.model_copy(update={"place": place}))
        return _onward(scene, number, fields, reading)


def _advise(routes: APIRouter, at: str, way_in: WayIn) -> None:
    @routes.get(at + "/advice")
    def advise(way: Annotated[Way, Depends(way_in)]) -> Response:
        """What to do now; nothing else is shown until it was read."""
        return shown.advising(scene_of(visit(way)))

    @routes.post(at + "/advice")
    def advised(way: Annotated[Way, Depends(way_in)], fields: Sent) -> Response:
        """Read, and on to where the patient was going."""
        seen = visit(way)
        way.check(only(fields, "token"))
        scene = scene_of(seen)
        if scene.begun is None:
            return scene.elsewhere()
        if only(fields, "read") != "yes":
            return shown.advising(scene, fault=True)
        course = scene.course
        read_now = course.draft.model_copy(update={"seen": course.flags})
        return keep(scene, read_now).go(course.place)


def _send(routes: APIRouter, at: str, way_in: WayIn, checked: TypeAdapter[Any]) -> None:
    @routes.get(at + "/review")
    def review(way: Annotated[Way, Depends(way_in)]) -> Response:
        """Everything that was answered, to look through before it is sent."""
        scene = scene_of(visit(way))
        if scene.begun is None or scene.begun.unread:
            return scene.elsewhere()
        return shown.reviewing(scene)

    @routes.post(at + "/review")
    def send(way: Annotated[Way, Depends(way_in)], fields: Sent) -> Response:
        """The answers are kept as a screening and the link is used up, both or neither."""
        way.check(only(fields, "token"))
        if links.is_submitted(way.store, way.secret):  # sent again: the answer got lost on its way
            return shown.sent(way, chosen_language(way.request), {})
        scene = scene_of(visit(way))
        course, to = scene.begun, only(fields, "to")
        if course is None or course.unread:
            return scene.elsewhere()
        if to == "back":
            return scene.go(len(course.form.steps))
        if to == "later":
            return shown.put_by(scene)
        if course.missing:
            return shown.reviewing(scene, missing=True)
        told = advice(course.rulebook, course.form, course.draft.answers, course.flags)
        _submit(scene, checked)
        return shown.sent(way, scene.language, {"advice": told, "settings": scene.settings})


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
    course, to = scene.course, only(fields, "to")
    if course.unread:
        return scene.go("advice")
    if to == "later":
        return shown.put_by(scene)
    if reading.faults and to != "back":
        marks = sent_marks(course.form.steps[number - 1], fields)
        return shown.asking(scene, number, marks, reading.faults)
    return scene.go(_following(number, fields, reading))


def _submit(scene: Scene, checked: TypeAdapter[Any]) -> None:
    """Keep the answers by the path of `POST /v1/screenings`, and use the link up."""
    seen = scene.visit
    with seen.way.store.transaction(seen.actor) as work:
        patient = links.use_up(work, seen.link.id)
        draft = drafts.found(work, seen.link.id)
        if draft is None:
            raise Problem("not_found")
        intake = checked.validate_python(_body(seen.link.rulebook, patient, draft))
        rulebooks: Catalogue = seen.way.request.app.state.catalogue
        made = screenings.add(work, intakes.kept(rulebooks, intake, patient, "form"))
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
