"""Read the context of an intake page: the link, its organisation, the language and the draft.

The context is read in one audited transaction of the link's organisation. A submitted form is read,
applied and saved in one transaction, so concurrent submissions are both saved and nothing is
saved under a link whose answers were already sent.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from starlette.requests import Request
from starlette.responses import Response

from api.forms.form_model import Step
from api.forms.intake_progress import Course, course_of
from api.forms.link_access import KIOSK, KIOSK_SECONDS, Visit, Way, set_cookie
from api.problems import Problem
from api.store.accounts import organisations
from api.store.forms import drafts, form_settings, links
from api.store.operations.denied_requests import Refusals
from api.store.transaction import Transaction
from api.web.languages import chosen_language
from api.web.page_texts import languages
from api.web.templating import Look, page, see
from schemas.form_settings import FormSettings
from schemas.links import Draft

Then = Callable[[], Response]
"""Builds the response after the transaction has been committed."""


class Scene(NamedTuple):
    """Everything that a page of an intake shows, read in one audited transaction."""

    visit: Visit
    organisation: str
    settings: FormSettings
    language: str
    begun: Course | None

    @property
    def course(self) -> Course:
        """The progress of a started intake. Raises Problem `not_found` if it was not started."""
        if self.begun is None:
            raise Problem("not_found")
        return self.begun

    @property
    def way(self) -> Way:
        """How the request reached the link."""
        return self.visit.way

    def show(self, template: str, status: int = 200, **variables: Any) -> Response:
        """Render a page of the intake."""
        response = page(
            self.way.request,
            f"intake/{template}.html.j2",
            Look(self.language, status),
            access=self.way,
            token=self.way.token,
            organisation=self.organisation,
            settings=self.settings,
            **variables,
        )
        if self.way.kiosk:
            response.headers["Refresh"] = f"{KIOSK_SECONDS};url=/kiosk"
            settings = self.way.request.app.state.settings
            set_cookie(response, settings, (KIOSK, self.way.secret), KIOSK_SECONDS)
        return response

    def go(self, step: int | str) -> Response:
        """Redirect to a page by name or step number; past the last step comes the review."""
        if isinstance(step, str):
            return see(self.way.request, f"{self.way.base}/{step}")
        if self.begun is None or step < 1:
            return see(self.way.request, self.way.base)
        last = len(self.begun.form.steps)
        return see(self.way.request, f"{self.way.base}/{'review' if step > last else step}")

    def elsewhere(self) -> Response:
        """Redirect to the current page: the start, unacknowledged advice or the next step."""
        if self.begun is not None and self.begun.unread:
            return self.go("advice")
        return self.go(self.begun.place if self.begun else 0)

    def step(self, number: int) -> Step | None:
        """Return the step with this number, or None if it may not be shown now."""
        progress = self.begun
        if progress is None or progress.unread or number > len(progress.form.steps):
            return None
        return progress.form.steps[number - 1]


def scene_of(seen: Visit) -> Scene:
    """Read the context of a page; a language chosen on this page is saved."""
    with _locked_context(seen) as (_, scene):
        return scene


def turn(seen: Visit, take: Callable[[Transaction, Scene], Then]) -> Response:
    """Run `take` with exclusive access to the link; build the response after the commit.

    Raises Problem `not_found` if the link was closed since the request began, and whatever `take`
    raises.
    """
    with _locked_context(seen) as (work, scene):
        build_response = take(work, scene)
    return build_response()


def keep(work: Transaction, scene: Scene, draft: Draft) -> Scene:
    """Save the draft; return the context with it."""
    link = scene.visit.link.id
    drafts.keep(work, link, draft)
    work.audit("answer", "draft", link)
    return _with_draft(scene, draft)


@contextmanager
def _locked_context(intake: Visit) -> Iterator[tuple[Transaction, Scene]]:
    """Read the context in a transaction that locks the link; record a refusal."""
    try:
        with intake.way.store.transaction(intake.actor) as work:
            links.enter(work, intake.link)
            draft = drafts.found(work, intake.link.id)
            yield work, _read_context(work, intake, draft)
            if not work.audited:
                work.audit("read", "link" if draft is None else "draft", intake.link.id)
    except Problem as problem:
        refusals: Refusals = intake.way.request.app.state.refusals
        refusals.record(intake.actor, problem.code)
        raise


def _read_context(work: Transaction, intake: Visit, draft: Draft | None) -> Scene:
    settings = form_settings.own(work)
    organisation = organisations.own(work).name
    language = _select_language(intake.way.request, intake, draft)
    if draft is not None and draft.language != language:
        draft = draft.model_copy(update={"language": language})
        drafts.keep(work, intake.link.id, draft)
    return _with_draft(Scene(intake, organisation, settings, language, None), draft)


def _with_draft(scene: Scene, draft: Draft | None) -> Scene:
    if draft is None:
        return scene
    adversity = scene.settings.adversity_questions
    progress = course_of(scene.visit.rulebook, draft, scene.language, adversity=adversity)
    return Scene(scene.visit, scene.organisation, scene.settings, scene.language, progress)


def _select_language(request: Request, intake: Visit, draft: Draft | None) -> str:
    """Prefer the language chosen on this page, then the draft's, the link's, the browser's."""
    chosen = request.query_params.get("language", "")
    previous = (draft and draft.language) or intake.link.language
    if chosen in languages():
        return chosen
    return previous if previous in languages() else chosen_language(request)
