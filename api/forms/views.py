"""Render the pages of an intake."""

from typing import Any, NamedTuple

from starlette.responses import Response

from api.forms import intake_progress
from api.forms.answer_parser import fill_from_draft
from api.forms.body_map import build_body_map
from api.forms.intake_progress import IntakeProgress, build_progress
from api.forms.link_access import LinkAccess, clear_device
from api.forms.page_context import PageContext
from api.forms.red_flag_advice import build_advice, find_confidential_flags
from api.web.page_texts import select_offered_languages
from api.web.templating import PageOptions, render_page
from reports.phrases import load_phrases
from schemas.organisations.form_settings import FormSettings
from schemas.patients.links import Draft


class SentAnswers(NamedTuple):
    """The settings of the organisation, and the answers to show once more, None if to no one."""

    settings: FormSettings
    language: str
    progress: IntakeProgress | None


def render_start(context: PageContext) -> Response:
    """Show the start page: purpose, time, consent, privacy and emergency numbers."""
    progress = context.progress or build_progress(
        context.intake.rulebook,
        Draft(),
        context.language,
        adversity=context.settings.adversity_questions,
    )
    first, last = progress.list_pages(1), progress.list_pages(len(progress.form.steps))
    return context.render(
        "start",
        minutes=progress.estimate_minutes(first),
        more_minutes=None if first == last else progress.estimate_minutes(last),
        last_day=load_phrases(context.language).format_date(context.expires_on),
        is_started=context.progress is not None,
        fault=context.access.request.query_params.get("fault") == "agree",
    )


def render_step(context: PageContext, number: int) -> Response:
    """Show one step with the state of its controls and its faults."""
    progress = context.started_progress
    step, draft = progress.form.steps[number - 1], progress.draft
    pages = progress.list_pages(number)
    left = [page for page in pages if page >= number]
    variables: dict[str, Any] = {
        "number": number,
        "form_language": progress.form.language,
        "has_advice": bool(progress.visible_flags),
        "returns": context.access.request.query_params.get("return") == "review",
        "keeps_answers": True,
    }
    if step.offers_end:
        later = progress.list_pages(len(progress.form.steps))
        return context.render("offer", minutes=progress.estimate_minutes(later), **variables)
    return context.render(
        "step",
        step=step,
        page=len(pages) - len(left) + 1,
        pages=len(pages),
        minutes=progress.estimate_minutes(left),
        control_state=fill_from_draft(step, draft),
        faults=progress.find_faults(step),
        hidden={q.name for q in step.questions if q.confidential and q.id in draft.answers},
        is_confidential=any(question.confidential for question in step.questions),
        adversity=draft.adversity,
        body_maps={q.name: build_body_map(q) for q in step.questions if q.has_body_map},
        not_asked=progress.not_asked,
        contradictions=progress.contradictions,
        **variables,
    )


def render_stop(context: PageContext) -> Response:
    """Show that the questions are not made for this age or duration, and offer to send this."""
    progress = context.progress
    if progress is None or progress.unacknowledged_flags or not progress.is_out_of_scope:
        return context.redirect_to_current_step()
    response = context.render("stop")
    context.access.mark_reviewed(response)
    return response


def render_advice(context: PageContext, flags: tuple[str, ...]) -> Response:
    """Show the advice for these red flags; the draft may have changed since they were read."""
    progress = context.started_progress
    return context.render(
        "advice",
        advice=build_advice(progress.rulebook, progress.form, progress.draft.answers, flags),
        flags_token=context.access.issue_flags_token(progress.visible_flags),
    )


def render_review(context: PageContext) -> Response:
    """Show all answers for review before they are submitted."""
    progress = context.started_progress
    sections = intake_progress.build_review(progress)
    untouched = progress.untouched_steps
    response = context.render(
        "review",
        sections=sections,
        contradictions=progress.contradictions,
        form_language=progress.form.language,
        open_count=sum(item.answer is None for section in sections for item in section.answers),
        incomplete_step=next(iter(progress.incomplete_steps), None),
        more_step=progress.find_next(untouched[0]) if untouched else None,
        more_minutes=progress.estimate_minutes(untouched),
        has_advice=bool(progress.visible_flags),
    )
    context.access.mark_reviewed(response)
    return response


def render_saved(context: PageContext) -> Response:
    """Show that the answers are saved but not sent, and repeat the advice that may be shown."""
    progress = context.progress
    if progress is None:
        return context.redirect_to_current_step()
    variables = {"settings": context.settings, "sections": [], "form_language": context.language}
    variables["advice"] = build_advice(
        progress.rulebook, progress.form, progress.draft.answers, progress.visible_flags
    )
    variables["last_day"] = load_phrases(context.language).format_date(context.expires_on)
    return _render_confirmation(context.access, context.language, variables, "later")


def render_sent(access: LinkAccess, sent_answers: SentAnswers) -> Response:
    """Show that the answers were sent: what happens next, the advice and a copy to keep."""
    language, progress = sent_answers.language, sent_answers.progress
    variables: dict[str, Any] = {
        "settings": sent_answers.settings,
        "sections": [],
        "advice": [],
        "form_language": language,
        "last_day": None,
    }
    if progress is not None:
        confidential = find_confidential_flags(progress.rulebook, progress.draft.answers)
        flags = [flag for flag in progress.flags if flag not in confidential]
        variables["advice"] = build_advice(
            progress.rulebook, progress.form, progress.draft.answers, flags
        )
        variables["form_language"] = progress.form.language
        if not access.is_kiosk:
            variables["sections"] = intake_progress.build_copy(progress)
    return _render_confirmation(access, language, variables, "sent" if progress else "used")


def _render_confirmation(
    access: LinkAccess, language: str, variables: dict[str, Any], outcome: str
) -> Response:
    """Show that the answers were sent or saved, with the advice; clear a shared device."""
    response = render_page(
        access.request,
        "intake/sent.html.j2",
        PageOptions(language, offered=select_offered_languages(variables["settings"].languages)),
        heading=f"{outcome}_heading",
        explanation=f"{outcome}_text",
        is_sent=outcome != "later",
        kiosk=access.is_kiosk,
        **variables,
    )
    if access.is_kiosk:
        clear_device(access.request, response)
        response.headers["Refresh"] = "60;url=/kiosk"
    return response
