"""Read the context of an intake page: the link, its organisation, the language and the draft.

The context is read in one audited transaction of the link's organisation. A submitted form is read,
applied and saved in one transaction, so concurrent submissions are both saved and nothing is
saved under a link whose answers were already sent.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from starlette.requests import Request
from starlette.responses import Response

from api.auth.services import find_services
from api.forms.form_model import FormStep
from api.forms.intake_progress import IntakeProgress, build_progress
from api.forms.link_access import (
    KIOSK_SECONDS,
    AlreadySentError,
    LinkAccess,
    OpenIntake,
    find_sent_link,
)
from api.http.errors.error_conversion import CLIENT_ERRORS, convert_error
from api.intakes.urgency import is_urgent_tier
from api.problems import Problem
from api.store.accounts import letterheads
from api.store.errors import NotFoundError
from api.store.forms import drafts, form_settings, open_links
from api.store.notifications import occasions
from api.store.patients import draft_acknowledgements
from api.store.transaction import Transaction
from api.web import cookies
from api.web.page_texts import select_offered_languages, select_page_language
from api.web.templating import PageOptions, redirect_to, render_page
from schemas.organisations.form_settings import FormSettings
from schemas.patients.links import Draft

ResponseFactory = Callable[[], Response]
"""Builds the response after the transaction has been committed."""


class PageContext(NamedTuple):
    """Everything that a page of an intake shows, read in one audited transaction."""

    intake: OpenIntake
    organisation_name: str
    expires_on: date
    settings: FormSettings
    language: str
    progress: IntakeProgress | None

    @property
    def started_progress(self) -> IntakeProgress:
        """The progress of a started intake. Raises Problem `not_found` if it was not started."""
        if self.progress is None:
            raise Problem("not_found")
        return self.progress

    @property
    def offered_languages(self) -> tuple[str, ...]:
        """The languages in which the organisation offers its forms."""
        return select_offered_languages(self.settings.languages)

    @property
    def access(self) -> LinkAccess:
        """How the request reached the link."""
        return self.intake.access

    def render(self, template: str, status: int = 200, **variables: Any) -> Response:
        """Render a page of the intake."""
        response = render_page(
            self.access.request,
            f"intake/{template}.html.j2",
            PageOptions(self.language, status, offered=self.offered_languages),
            access=self.access,
            token=self.access.csrf_token,
            organisation=self.organisation_name,
            settings=self.settings,
            **({"keeps_answers": False} | variables),
        )
        if self.access.is_kiosk:
            response.headers["Refresh"] = f"{KIOSK_SECONDS};url=/kiosk"
            cookies.set_cookie(
                self.access.request, response, cookies.KIOSK_LINK, self.access.secret, KIOSK_SECONDS
            )
        return response

    def redirect_to_step(self, step: int | str) -> Response:
        """Redirect to a page by name or step number; past the last step comes the review."""
        page = f"/{step}"
        if isinstance(step, int):
            if self.progress is None or step < 1:
                page = ""
            elif step > len(self.progress.form.steps):
                page = "/review"
        return redirect_to(self.access.request, self.access.base_path + page)

    def redirect_to_current_step(self) -> Response:
        """Redirect to the current page: the start, unread advice, the stop or the next step."""
        if self.progress is not None and self.progress.unacknowledged_flags:
            return self.redirect_to_step("advice")
        if self.progress is not None and self.progress.is_out_of_scope:
            return self.redirect_to_step("stop")
        return self.redirect_to_step(self.progress.next_step if self.progress else 0)

    def find_step(self, number: int, *, to_save: bool = False) -> FormStep | None:
        """Return the step with this number, or None if it may not be shown, or saved, now.

        What was entered is saved even if the advice for it has not been read yet.
        """
        progress = self.progress
        if progress is None or number > len(progress.form.steps):
            return None
        if progress.unacknowledged_flags and not to_save:
            return None
        step = progress.form.steps[number - 1]
        is_stopped = progress.is_out_of_scope and not progress.decides_scope(step)
        return None if is_stopped or progress.is_empty(number) else step


def read_page_context(intake: OpenIntake) -> PageContext:
    """Read the context of a page; a language chosen on this page is saved."""
    with _lock_context(intake) as (_, context):
        return context


def with_exclusive_link(
    intake: OpenIntake, handler: Callable[[Transaction, PageContext], ResponseFactory]
) -> Response:
    """Run the handler under the link's lock; respond after the commit.

    Raises AlreadySentError if another request sent the answers in the meantime, or NotFoundError.
    """
    try:
        with _lock_context(intake) as (work, context):
            build_response = handler(work, context)
    except NotFoundError:
        if find_sent_link(intake.access) is not None:
            raise AlreadySentError from None
        raise
    return build_response()


def save_draft(work: Transaction, context: PageContext, draft: Draft) -> PageContext:
    """Save the draft; return the context with it."""
    link = context.intake.link.id
    drafts.save_draft(work, link, draft)
    saved = _attach_draft(context, draft)
    if is_urgent_tier(context.intake.rulebook, draft.tier):
        acknowledged_ids = {it.flag for it in draft_acknowledgements.list_acknowledged(work, link)}
        if not acknowledged_ids.issuperset(saved.started_progress.flags):
            occasions.announce_draft(work, link)
    work.audit("answer", "draft", link)
    return saved


@contextmanager
def _lock_context(intake: OpenIntake) -> Iterator[tuple[Transaction, PageContext]]:
    """Read the context in a transaction that locks the link; record a refusal."""
    try:
        with intake.access.store.transaction(intake.actor) as work:
            open_links.lock_link(work, intake.link)
            draft = drafts.find_draft(work, intake.link.id)
            yield work, _read_context(work, intake, draft)
            if not work.audit_row_count:
                work.audit("read", "link" if draft is None else "draft", intake.link.id)
    except CLIENT_ERRORS as error:
        refusals = find_services(intake.access.request).denied_requests
        refusals.record(intake.actor, convert_error(error).code)
        raise


def _read_context(work: Transaction, intake: OpenIntake, draft: Draft | None) -> PageContext:
    settings = form_settings.load_form_settings(work)
    letterhead = letterheads.find_letterhead(work.session, work.organisation)
    expires_on = intake.link.expires_at.astimezone(ZoneInfo(letterhead.time_zone)).date()
    previous = (draft and draft.language) or intake.link.language
    language = choose_language(intake.access.request, previous, settings)
    if draft is not None and draft.language != language:
        draft = draft.model_copy(update={"language": language})
        drafts.save_draft(work, intake.link.id, draft)
    name = letterhead.name or ""
    context = PageContext(intake, name, expires_on, settings, language, None)
    return _attach_draft(context, draft)


def _attach_draft(context: PageContext, draft: Draft | None) -> PageContext:
    if draft is None:
        return context
    adversity = context.settings.adversity_questions
    rulebook = context.intake.rulebook
    progress = build_progress(rulebook, draft, context.language, adversity=adversity)
    return context._replace(progress=progress)


def choose_language(request: Request, previous: str | None, settings: FormSettings) -> str:
    """Prefer the language chosen on this page, then the draft's or the link's, the browser's.

    Languages that the organisation does not offer are ignored.
    """
    offered = select_offered_languages(settings.languages)
    requested = request.query_params.get("language", "")
    if requested not in offered and previous is not None and previous in offered:
        return previous
    return select_page_language(request, offered)
