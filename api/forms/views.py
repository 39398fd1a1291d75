"""Render the pages of an intake."""

from typing import Any

from starlette.responses import Response

from api.forms import intake_progress
from api.forms.answer_parser import ControlState
from api.forms.body_map import build_body_map
from api.forms.form_model import FormOptions, build_form
from api.forms.link_access import LinkAccess, clear_device
from api.forms.page_context import PageContext
from api.forms.red_flag_advice import build_advice
from api.web.templating import PageOptions, render_page

_FAULTY = 422


def render_start(context: PageContext, *, fault: bool = False) -> Response:
    """Show the start page: purpose, consent, privacy and emergency numbers."""
    options = FormOptions("patient", context.language, context.settings.adversity_questions)
    steps = len(build_form(context.intake.rulebook, options).steps)
    return context.render(
        "start",
        _FAULTY if fault else 200,
        steps=steps,
        is_started=context.progress is not None,
        fault=fault,
    )


def render_step(
    context: PageContext, number: int, control_state: ControlState, faults: dict[str, str]
) -> Response:
    """Show one step with the state of its controls and its faults."""
    progress = context.started_progress
    step, draft = progress.form.steps[number - 1], progress.draft
    return context.render(
        "step",
        _FAULTY if faults else 200,
        step=step,
        number=number,
        total=len(progress.form.steps),
        form_language=progress.form.language,
        control_state=control_state,
        faults=faults,
        hidden={q.name for q in step.questions if q.confidential and q.id in draft.answers},
        adversity=draft.adversity,
        body_maps={q.name: build_body_map(q) for q in step.questions if q.has_body_map},
        not_asked=progress.not_asked,
        contradictions=progress.contradictions,
        has_advice=bool(progress.visible_flags),
    )


def render_advice(context: PageContext, *, fault: bool = False) -> Response:
    """Show the advice for the red flags in the answers so far."""
    progress = context.progress
    if progress is None or not progress.visible_flags:
        return context.redirect_to_current_step()
    return context.render(
        "advice",
        _FAULTY if fault else 200,
        advice=build_advice(
            progress.rulebook, progress.form, progress.draft.answers, progress.visible_flags
        ),
        flags_token=context.access.issue_flags_token(progress.visible_flags),
        fault=fault,
    )


def render_review(context: PageContext, *, missing: bool = False) -> Response:
    """Show all answers for review before they are submitted."""
    progress = context.started_progress
    sections = intake_progress.build_review(progress)
    response = context.render(
        "review",
        _FAULTY if missing else 200,
        sections=sections,
        contradictions=progress.contradictions,
        form_language=progress.form.language,
        open_count=sum(item.answer is None for section in sections for item in section.answers),
        missing=missing or bool(progress.incomplete_steps),
        has_advice=bool(progress.visible_flags),
    )
    context.access.mark_reviewed(response)
    return response


def render_saved(context: PageContext) -> Response:
    """Show that the answers are saved but not sent, and repeat the advice that may be shown."""
    progress = context.started_progress
    reminders = build_advice(
        progress.rulebook, progress.form, progress.draft.answers, progress.visible_flags
    )
    variables = {"advice": reminders, "settings": context.settings}
    return render_confirmation(context.access, context.language, variables, "later")


def render_confirmation(
    access: LinkAccess, language: str, variables: dict[str, Any], outcome: str = "sent"
) -> Response:
    """Show that the answers were sent or saved, with the advice; clear a shared device."""
    response = render_page(
        access.request,
        "intake/sent.html.j2",
        PageOptions(language),
        heading=f"{outcome}_heading",
        explanation=f"{outcome}_text",
        is_sent=outcome == "sent",
        kiosk=access.is_kiosk,
        **({"advice": [], "settings": None} | variables),
    )
    if access.is_kiosk:
        clear_device(access.request, response)
        response.headers["Refresh"] = "60;url=/kiosk"
    return response
