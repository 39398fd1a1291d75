"""Apply the submitted forms of an intake and choose the page to show next.

Each function runs in the transaction that locks the link; see `api.forms.page_context`.
"""

from datetime import UTC, datetime
from functools import lru_cache, partial
from typing import Any

from pydantic import TypeAdapter
from starlette.responses import Response

from api.auth.services import find_services
from api.forms import intake_progress, views
from api.forms.answer_parser import ParsedStep, fill_from_fields, parse_step
from api.forms.form_model import FormStep
from api.forms.intake_progress import IntakeProgress
from api.forms.link_access import bind_to_browser
from api.forms.page_context import PageContext, ResponseFactory, save_draft
from api.forms.red_flag_advice import build_advice
from api.intakes import reader
from api.intakes.models import StorableIntake, intake_union
from api.store.forms import drafts, open_links
from api.store.patients import draft_acknowledgements
from api.store.screenings import screenings
from api.store.transaction import Transaction
from api.web.page_route import FormFields, read_field
from api.web.page_texts import list_languages
from api.web.templating import redirect_to
from schemas.links import Draft
from scoring.catalogue import Catalogue


def give_consent(work: Transaction, context: PageContext, fields: FormFields) -> ResponseFactory:
    """Start a draft after consent; a link of kind `once` is bound to this browser."""
    if context.progress is not None:
        return context.redirect_to_current_step
    if read_field(fields, "agree") != "yes":
        return partial(views.render_start, context, fault=True)
    link, access, language = context.intake.link, context.access, read_field(fields, "language")
    response = redirect_to(access.request, f"{access.base_path}/1")
    if link.kind == "once":
        open_links.bind_holder(work, link.id, bind_to_browser(access.request, response, link))
    draft = Draft(language=language if language in list_languages() else None)
    drafts.save_draft(work, link.id, draft)
    work.audit("create", "draft", link.id)
    return lambda: response


def save_step(
    work: Transaction, context: PageContext, number: int, fields: FormFields
) -> ResponseFactory:
    """Save the answers of a step and the number of the next step."""
    step = context.find_step(number)
    if step is None:
        return context.redirect_to_current_step
    parsed_step = parse_step(step, fields)
    place = max(_next_step(number, fields, parsed_step), 1)
    progress = context.started_progress
    draft = _apply_step(progress, step, parsed_step, fields)
    if read_field(fields, "intent") == "later" and _is_complete(
        progress._replace(draft=draft), step, parsed_step, fields
    ):
        place = number + 1
    updated = save_draft(work, context, draft.model_copy(update={"place": place}))
    return partial(_show_next, updated, number, fields, parsed_step)


def acknowledge_advice(
    work: Transaction, context: PageContext, fields: FormFields
) -> ResponseFactory:
    """Save that the advice was read; advice for flags raised in the meantime is shown first."""
    progress = context.progress
    if progress is None:
        return context.redirect_to_current_step
    if read_field(fields, "read") != "yes":
        return partial(views.render_advice, context, fault=True)
    if not context.access.is_flags_token(read_field(fields, "flags_token"), progress.visible_flags):
        return context.redirect_to_current_step
    draft = progress.draft.model_copy(update={"seen": progress.flags})
    return partial(save_draft(work, context, draft).redirect_to_step, progress.next_step)


def submit(work: Transaction, context: PageContext, destination: str) -> ResponseFactory:
    """Submit the answers as a screening, unless advice or required answers are outstanding."""
    progress = context.progress
    if progress is None or progress.unacknowledged_flags:
        return context.redirect_to_current_step
    if destination == "back":
        last = progress.find_next(len(progress.form.steps), -1)
        return partial(context.redirect_to_step, last)
    if destination == "later":
        return partial(views.render_saved, context)
    if progress.incomplete_steps:
        return partial(views.render_review, context, missing=True)
    reminders = build_advice(
        progress.rulebook, progress.form, progress.draft.answers, progress.flags
    )
    _submit(work, context)
    return partial(
        views.render_confirmation,
        context.access,
        context.language,
        {"advice": reminders, "settings": context.settings},
    )


@lru_cache(maxsize=4)
def build_intake_adapter(rulebooks: Catalogue) -> TypeAdapter[Any]:
    """Return the validator of intakes to be stored; it is expensive to build."""
    return TypeAdapter[Any](intake_union(rulebooks.list_active(), StorableIntake))


def _apply_step(
    progress: IntakeProgress, step: FormStep, parsed_step: ParsedStep, fields: FormFields
) -> Draft:
    if not step.asks_consent:
        return intake_progress.apply_step(progress, step, parsed_step)
    reply = read_field(fields, "adversity")
    if reply not in ("yes", "no"):
        return progress.draft
    return intake_progress.apply_adversity_consent(progress, adversity=reply == "yes")


def _is_complete(
    progress: IntakeProgress, step: FormStep, parsed_step: ParsedStep, fields: FormFields
) -> bool:
    """Return whether every question that concerns was answered or deliberately left open."""
    if step.asks_consent:
        return read_field(fields, "adversity") in ("yes", "no")
    settled = parsed_step.answers.keys() | parsed_step.open_questions.keys()
    return all(question.id in settled | progress.not_asked for question in step.questions)


def _next_step(number: int, fields: FormFields, parsed_step: ParsedStep) -> int:
    """Return the number of the step to go to; faults only block going forward."""
    match read_field(fields, "intent"):
        case "back":
            return number - 1
        case "later":
            return number
        case _:
            return number if parsed_step.faults else number + 1


def _show_next(
    context: PageContext, number: int, fields: FormFields, parsed_step: ParsedStep
) -> Response:
    """Respond to a saved step; unacknowledged advice comes before everything else."""
    intent = read_field(fields, "intent")
    if context.started_progress.unacknowledged_flags:
        return context.redirect_to_step("advice")
    if intent == "later":
        return views.render_saved(context)
    if parsed_step.faults and intent != "back":
        control_state = fill_from_fields(context.started_progress.form.steps[number - 1], fields)
        return views.render_step(context, number, control_state, parsed_step.faults)
    next_number = _next_step(number, fields, parsed_step)
    direction = 1 if next_number >= number else -1
    return context.redirect_to_step(context.started_progress.find_next(next_number, direction))


def _submit(work: Transaction, context: PageContext) -> None:
    """Save the answers the way `POST /v1/screenings` does, and use up the link."""
    link, rulebooks = context.intake.link, find_services(context.access.request).catalogue
    patient = open_links.mark_submitted(work, link.id)
    body = {
        "rulebook": link.rulebook,
        "patient": patient,
        "answered_by": "patient",
        "answered_on": datetime.now(UTC).date(),
        "answers": context.started_progress.draft.answers,
    }
    intake = build_intake_adapter(rulebooks).validate_python(body)
    scored = reader.score_intake(rulebooks, intake, patient, "form")
    screening = screenings.add_screening(work, scored)
    open_links.attach_screening(work, link.id, screening.id)
    draft_acknowledgements.carry_to_screening(work, link.id, screening)
    work.audit("create", "screening", screening.id)
    work.audit("answer", "link", link.id)
