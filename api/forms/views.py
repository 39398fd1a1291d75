"""What each page of an intake shows."""

from typing import Any

from starlette.responses import Response

from api.forms import intake_progress as courses
from api.forms.answer_parser import Marks
from api.forms.body_map import picture
from api.forms.form_model import Wish, form_of
from api.forms.link_access import Way, forget
from api.forms.page_context import Scene
from api.forms.red_flag_advice import advice
from api.web.templating import Look, page

_FAULTY = 422


def first(scene: Scene, *, fault: bool = False) -> Response:
    """What this is, to what the patient agrees, and what becomes of the answers."""
    wish = Wish("patient", scene.language, scene.settings.adversity_questions)
    steps = len(form_of(scene.visit.rulebook, wish).steps)
    return scene.show(
        "first",
        _FAULTY if fault else 200,
        steps=steps,
        begun=scene.begun is not None,
        fault=fault,
    )


def asking(scene: Scene, number: int, marks: Marks, faults: dict[str, str]) -> Response:
    """One step, its controls as they stand, and what is to be put right."""
    course = scene.course
    step = course.form.steps[number - 1]
    return scene.show(
        "step",
        _FAULTY if faults else 200,
        step=step,
        number=number,
        total=len(course.form.steps),
        form_language=course.form.language,
        marks=marks,
        faults=faults,
        held={
            each.name for each in step.asked if each.unspoken and each.id in course.draft.answers
        },
        adversity=course.draft.adversity,
        pictures={each.name: picture(each) for each in step.asked if each.body_map},
        told=bool(course.told),
    )


def advising(scene: Scene, *, fault: bool = False) -> Response:
    """What to do now, at the red flags in the answers so far."""
    course = scene.begun
    if course is None or not course.told:
        return scene.elsewhere()
    told = advice(course.rulebook, course.form, course.draft.answers, course.told)
    mark = scene.way.mark_of(course.told)
    return scene.show("advice", _FAULTY if fault else 200, advice=told, mark=mark, fault=fault)


def reviewing(scene: Scene, *, missing: bool = False) -> Response:
    """Everything that was answered, to look through."""
    course = scene.course
    told = courses.parts(course)
    response = scene.show(
        "review",
        _FAULTY if missing else 200,
        parts=told,
        form_language=course.form.language,
        open_count=sum(each.words is None for part in told for each in part.answers),
        missing=missing or bool(course.missing),
        told=bool(course.told),
    )
    scene.way.look_through(response)
    return response


def put_by(scene: Scene) -> Response:
    """That it is kept and not sent; with what may be read again of what to do now."""
    course = scene.course
    told = advice(course.rulebook, course.form, course.draft.answers, course.told)
    shown = {"advice": told, "settings": scene.settings}
    return sent(scene.way, scene.language, shown, "later")


def sent(way: Way, language: str, shown: dict[str, Any], what: str = "sent") -> Response:
    """That it arrived, or that it is kept; with the advice once more. A device forgets it all."""
    response = page(
        way.request,
        "intake/sent.html.j2",
        Look(language),
        heading=f"{what}_heading",
        told=f"{what}_told",
        is_sent=what == "sent",
        kiosk=way.kiosk,
        **({"advice": [], "settings": None} | shown),
    )
    if way.kiosk:
        forget(response)
        response.headers["Refresh"] = "60;url=/kiosk"
    return response
