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
from api.forms.answer_parser import ParsedStep, parse_step, select_entered
from api.forms.form_model import FormStep
from api.forms.intake_progress import IntakeProgress, build_progress
from api.forms.link_access import LinkAccess, bind_to_browser, build_link_actor
from api.forms.page_context import PageContext, ResponseFactory, choose_language, save_draft
from api.forms.views import SentAnswers
from api.intakes import reader
from api.intakes.models import StorableIntake, intake_union
from api.intakes.urgency import needs_alert
from api.store.errors import NotFoundError
from api.store.forms import drafts, form_settings, open_links
from api.store.forms.open_links import OpenLink
from api.store.notifications import occasions
from api.store.patients import draft_acknowledgements
from api.store.screenings import screenings
from api.store.transaction import Transaction
from api.web.page_route import FormFields, read_field
from api.web.templating import redirect_to
from schemas.patients.links import Draft
from scoring.catalogue import Catalogue

EXIT_PATH = "/closed"
FORWARD = ("next", "finish", "")
"""The destinations that a fault or a blank answer holds back; Enter alone sends none."""


def give_consent(work: Transaction, context: PageContext, fields: FormFields) -> ResponseFactory:
    """Start a draft after consent; a link of kind `once` is bound to this browser."""
    if context.progress is not None:
        return context.redirect_to_current_step
    link, access, language = context.intake.link, context.access, read_field(fields, "language")
    if read_field(fields, "agree") != "yes":
        return partial(redirect_to, access.request, f"{access.base_path}?fault=agree")
    response = redirect_to(access.request, f"{access.base_path}/1")
    if link.kind == "once":
        open_links.bind_holder(work, link.id, bind_to_browser(access.request, response, link))
    draft = Draft(language=language if language in context.offered_languages else None)
    drafts.save_draft(work, link.id, draft)
    work.audit("create", "draft", link.id)
    return lambda: response


def save_step(
    work: Transaction, context: PageContext, number: int, fields: FormFields
) -> ResponseFactory:
    """Save what was entered in a step, however it is left, and choose the page to show next."""
    step, progress = context.find_step(number, to_save=True), context.progress
    if step is None or progress is None:
        return context.redirect_to_current_step
    destination = read_field(fields, "intent")
    if destination == "keep":
        step = _leave_out_confidential(step)
    parsed_step = parse_step(step, fields, progress.draft.answers)
    draft = _apply_step(progress, step, parsed_step, fields)
    draft = _keep_entered(draft, step, parsed_step, fields)
    saved = progress._replace(draft=draft)
    if destination == "exit":
        seen_flags = (*draft.seen, *saved.once_shown_flags)
        draft = draft.model_copy(update={"seen": tuple(dict.fromkeys(seen_flags))})
    place = _next_place(saved, number, fields, is_faulty=bool(parsed_step.faults))
    if destination == "later" and _is_complete(saved, step, parsed_step, fields):
        place = number + 1
    language = destination.removeprefix("language-")
    changes: dict[str, Any] = {} if destination == "keep" else {"place": max(place, 1)}
    if language in context.offered_languages:
        changes["language"] = language
    updated = save_draft(work, context, draft.model_copy(update=changes))
    return partial(_leave_step, updated, number, place, fields)


def show_advice(work: Transaction, context: PageContext) -> ResponseFactory:
    """Show the advice; some of it is shown this once only, even if it is not acknowledged."""
    progress = context.progress
    if progress is None or not progress.visible_flags:
        return context.redirect_to_current_step
    visible_flags, unread = progress.visible_flags, progress.unacknowledged_flags
    once = [flag for flag in progress.once_shown_flags if flag in unread]
    if once:
        seen_flags = (*progress.draft.seen, *once)
        draft = progress.draft.model_copy(update={"seen": seen_flags})
        context = save_draft(work, context, draft)
    return partial(views.render_advice, context, visible_flags)


def acknowledge_advice(
    work: Transaction, context: PageContext, fields: FormFields
) -> ResponseFactory:
    """Save that the advice was read; advice for flags raised in the meantime is shown first."""
    progress, access = context.progress, context.access
    if read_field(fields, "intent") == "exit":
        return partial(redirect_to, access.request, EXIT_PATH)
    if progress is None:
        return context.redirect_to_current_step
    if read_field(fields, "read") != "yes" or not access.is_flags_token(
        read_field(fields, "flags_token"), progress.visible_flags
    ):
        return context.redirect_to_current_step
    draft = progress.draft.model_copy(update={"seen": progress.flags})
    return save_draft(work, context, draft).redirect_to_current_step


def submit(work: Transaction, context: PageContext, destination: str) -> ResponseFactory:
    """Submit the answers as a screening, unless advice or required answers are outstanding."""
    progress = context.progress
    if progress is None or progress.unacknowledged_flags:
        return context.redirect_to_current_step
    is_out_of_scope = progress.is_out_of_scope
    if destination == "back":
        last = 1 if is_out_of_scope else progress.find_last()
        return partial(context.redirect_to_step, last)
    if destination == "later":
        return partial(context.redirect_to_step, "saved")
    if progress.incomplete_steps and not is_out_of_scope:
        return partial(context.redirect_to_step, "review")
    _submit(work, context)
    return partial(
        redirect_to,
        context.access.request,
        f"{context.access.base_path}/sent?language={context.language}",
    )


def read_sent_answers(access: LinkAccess, link: OpenLink) -> SentAnswers:
    """Return the answers that this browser reviewed and sent within the last hour, if it did."""
    rulebooks = find_services(access.request).catalogue
    with access.store.transaction(build_link_actor(access, link)) as work:
        settings = form_settings.load_form_settings(work)
        language = choose_language(access.request, link.language, settings)
        work.audit("read", "link", link.id)
        if not access.was_reviewed or link.screening_id is None:
            return SentAnswers(settings, language, None)
        try:
            screening = screenings.find_screening(work, link.screening_id)
        except NotFoundError:  # erased since
            return SentAnswers(settings, language, None)
        work.audit("read", "screening", screening.id)
    rulebook = rulebooks.find_version(link.rulebook)
    draft = Draft(answers=screening.answers, adversity=True)
    return SentAnswers(
        settings, language, build_progress(rulebook, draft, language, adversity=True)
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


def _leave_out_confidential(step: FormStep) -> FormStep:
    """Return the step without what is saved only when the patient leaves the page on purpose."""
    return step._replace(questions=tuple(it for it in step.questions if not it.confidential))


def _keep_entered(
    draft: Draft, step: FormStep, parsed_step: ParsedStep, fields: FormFields
) -> Draft:
    """Return the draft with what was entered and is not valid; a blank field if it was passed."""
    is_passed = read_field(fields, "intent") in FORWARD
    faults = {
        name
        for name, fault in parsed_step.faults.items()
        if fault != "fault_needed" or is_passed or name in draft.entered
    }
    names = {name for question in step.questions for name in question.text_names}
    elsewhere = {name: values for name, values in draft.entered.items() if name not in names}
    return draft.model_copy(update={"entered": elsewhere | select_entered(step, fields, faults)})


def _is_complete(
    progress: IntakeProgress, step: FormStep, parsed_step: ParsedStep, fields: FormFields
) -> bool:
    """Return whether every question that applies was answered or deliberately left open."""
    if step.asks_consent:
        return read_field(fields, "adversity") in ("yes", "no")
    settled = parsed_step.answers.keys() | parsed_step.open_questions.keys()
    return all(question.id in settled | progress.not_asked for question in step.questions)


def _next_place(
    progress: IntakeProgress, number: int, fields: FormFields, *, is_faulty: bool
) -> int:
    """Return the step to go to, past the last for the review; faults only block going forward."""
    destination, review = read_field(fields, "intent"), len(progress.form.steps) + 1
    if destination == "back":
        return number - 1
    if destination not in FORWARD or is_faulty:
        return number
    if destination == "finish" or read_field(fields, "return") == "review":
        return review
    return number + 1


def _leave_step(context: PageContext, number: int, place: int, fields: FormFields) -> Response:
    """Respond to a saved step; unacknowledged advice comes before everything else.

    The form stops for an age or duration out of scope even if the rest of the page is blank.
    """
    request, destination = context.access.request, read_field(fields, "intent")
    if destination == "keep":
        return Response(status_code=204, headers={"Cache-Control": "no-store"})
    if destination in ("exit", "leave"):
        return redirect_to(request, EXIT_PATH if destination == "exit" else "/kiosk")
    progress = context.started_progress
    goes_on = place > number or destination in FORWARD
    if progress.unacknowledged_flags or (progress.is_out_of_scope and goes_on):
        return context.redirect_to_current_step()
    if destination in ("later", "advice", "emergency"):
        pages: dict[str, int | str] = {"later": "saved", "advice": "advice", "emergency": 0}
        return context.redirect_to_step(pages[destination])
    if place == number:
        suffix = "?return=review" if read_field(fields, "return") == "review" else ""
        return redirect_to(request, f"{context.access.base_path}/{number}{suffix}")
    return context.redirect_to_step(progress.find_next(place, 1 if place > number else -1))


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
    is_urgent = needs_alert(rulebooks, screening)
    occasions.announce_screening(work, screening, is_urgent=is_urgent, link=link.id)
    draft_acknowledgements.carry_to_screening(work, link.id, screening)
    work.audit("create", "screening", screening.id)
    work.audit("answer", "link", link.id)
