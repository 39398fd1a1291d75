"""Render the pages of an intake."""

from typing import Any

from starlette.responses import Response

from api.forms import intake_progress
from api.forms.answer_parser import Marks
from api.forms.body_map import picture
from api.forms.form_model import Wish, form_of
from api.forms.link_access import Way, forget
from api.forms.page_context import Scene
from api.forms.red_flag_advice import advice
from api.web.templating import Look, page

_FAULTY = 422


def first(scene: Scene, *, fault: bool = False) -> Response:
    """Show the start page: purpose, consent, privacy and emergency numbers."""
    options = Wish("patient", scene.language, scene.settings.adversity_questions)
    steps = len(form_of(scene.visit.rulebook, options).steps)
    return scene.show(
        "first",
        _FAULTY if fault else 200,
        steps=steps,
        is_started=scene.begun is not None,
        fault=fault,
    )


def asking(scene: Scene, number: int, marks: Marks, faults: dict[str, str]) -> Response:
    """Show one step with the state of its controls and its faults."""
    progress = scene.course
    step, draft = progress.form.steps[number - 1], progress.draft
    return scene.show(
        "step",
        _FAULTY if faults else 200,
        step=step,
        number=number,
        total=len(progress.form.steps),
        form_language=progress.form.language,
        marks=marks,
        faults=faults,
        hidden={q.name for q in step.asked if q.unspoken and q.id in draft.answers},
        adversity=draft.adversity,
        body_maps={q.name: picture(q) for q in step.asked if q.body_map},
        has_advice=bool(progress.told),
    )


def advising(scene: Scene, *, fault: bool = False) -> Response:
    """Show the advice for the red flags in the answers so far."""
    progress = scene.begun
    if progress is None or not progress.told:
        return scene.elsewhere()
    return scene.show(
        "advice",
        _FAULTY if fault else 200,
        advice=advice(progress.rulebook, progress.form, progress.draft.answers, progress.told),
        flags_token=scene.way.mark_of(progress.told),
        fault=fault,
    )


def reviewing(scene: Scene, *, missing: bool = False) -> Response:
    """Show all answers for review before they are submitted."""
    progress = scene.course
    sections = intake_progress.parts(progress)
    response = scene.show(
        "review",
        _FAULTY if missing else 200,
        sections=sections,
        form_language=progress.form.language,
        open_count=sum(item.words is None for section in sections for item in section.answers),
        missing=missing or bool(progress.missing),
        has_advice=bool(progress.told),
    )
    scene.way.look_through(response)
    return response


def put_by(scene: Scene) -> Response:
    """Show that the answers are saved but not sent, and repeat the advice that may be shown."""
    progress = scene.course
    reminders = advice(progress.rulebook, progress.form, progress.draft.answers, progress.told)
    shown = {"advice": reminders, "settings": scene.settings}
    return sent(scene.way, scene.language, shown, "later")


def sent(way: Way, language: str, shown: dict[str, Any], what: str = "sent") -> Response:
    """Show that the answers were sent or saved, with the advice; clear a shared device."""
    response = page(
        way.request,
        "intake/sent.html.j2",
        Look(language),
        heading=f"{what}_heading",
        explanation=f"{what}_told",
        is_sent=what == "sent",
        kiosk=way.kiosk,
        **({"advice": [], "settings": None} | shown),
    )
    if way.kiosk:
        forget(response)
        response.headers["Refresh"] = "60;url=/kiosk"
    return response
