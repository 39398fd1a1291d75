"""The scene of a page: the link, whose form it is, in which language, and what was answered so far.

Read in one transaction of the link's organisation, which leaves its row of audit. What is answered
is read, changed and kept in one: two pages that are sent at once are both kept, and nothing is kept
under a link whose answers were sent.
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
"""What is shown once the transaction is over."""


class Scene(NamedTuple):
    """All that a page of an intake shows from: read in one audited transaction."""

    visit: Visit
    organisation: str
    settings: FormSettings
    language: str
    begun: Course | None

    @property
    def course(self) -> Course:
        """What was begun. Raises Problem `not_found` where nothing was."""
        if self.begun is None:
            raise Problem("not_found")
        return self.begun

    @property
    def way(self) -> Way:
        """The way in."""
        return self.visit.way

    def show(self, template: str, status: int = 200, **shown: Any) -> Response:
        """A page of the intake."""
        look = Look(self.language, status)
        response = page(
            self.way.request,
            f"intake/{template}.html.j2",
            look,
            way=self.way,
            token=self.way.token,
            organisation=self.organisation,
            settings=self.settings,
            **shown,
        )
        if self.way.kiosk:
            response.headers["Refresh"] = f"{KIOSK_SECONDS};url=/kiosk"
            settings = self.way.request.app.state.settings
            set_cookie(response, settings, (KIOSK, self.way.secret), KIOSK_SECONDS)
        return response

    def go(self, step: int | str) -> Response:
        """On to another page of the intake: before the first step its start, after the last all."""
        if isinstance(step, str):
            return see(self.way.request, f"{self.way.base}/{step}")
        if self.begun is None or step < 1:
            return see(self.way.request, self.way.base)
        last = len(self.begun.form.steps)
        return see(self.way.request, f"{self.way.base}/{'review' if step > last else step}")

    def elsewhere(self) -> Response:
        """Where the patient belongs: to the start, to advice not read yet, to the step at hand."""
        if self.begun is not None and self.begun.unread:
            return self.go("advice")
        return self.go(self.begun.place if self.begun else 0)

    def step(self, number: int) -> Step | None:
        """The step of that number, where it may be asked now."""
        course = self.begun
        if course is None or course.unread or number > len(course.form.steps):
            return None
        return course.form.steps[number - 1]


def scene_of(seen: Visit) -> Scene:
    """What a page shows from; the language that was chosen stays chosen."""
    with _at(seen) as (_, scene):
        return scene


def turn(seen: Visit, take: Callable[[Transaction, Scene], Then]) -> Response:
    """What the link's turn comes to, shown once all that `take` kept is there for good.

    Nobody else reads or answers under the link meanwhile. Raises Problem `not_found` where it was
    closed since the visit began, and whatever `take` raises.
    """
    with _at(seen) as (work, scene):
        then = take(work, scene)
    return then()


def keep(work: Transaction, scene: Scene, draft: Draft) -> Scene:
    """The scene with this draft, which is kept."""
    link = scene.visit.link.id
    drafts.keep(work, link, draft)
    work.audit("answer", "draft", link)
    return _with(scene, draft)


@contextmanager
def _at(seen: Visit) -> Iterator[tuple[Transaction, Scene]]:
    """The scene, in the transaction that has the link to itself."""
    try:
        with seen.way.store.transaction(seen.actor) as work:
            links.enter(work, seen.link)
            draft = drafts.found(work, seen.link.id)
            yield work, _read(work, seen, draft)
            if not work.audited:
                work.audit("read", "link" if draft is None else "draft", seen.link.id)
    except Problem as problem:
        refusals: Refusals = seen.way.request.app.state.refusals
        refusals.record(seen.actor, problem.code)
        raise


def _read(work: Transaction, seen: Visit, draft: Draft | None) -> Scene:
    settings = form_settings.own(work)
    organisation = organisations.own(work).name
    language = _language(seen.way.request, seen, draft)
    if draft is not None and draft.language != language:
        draft = draft.model_copy(update={"language": language})
        drafts.keep(work, seen.link.id, draft)
    return _with(Scene(seen, organisation, settings, language, None), draft)


def _with(scene: Scene, draft: Draft | None) -> Scene:
    if draft is None:
        return scene
    asked = scene.settings.adversity_questions
    return scene._replace(
        begun=course_of(scene.visit.rulebook, draft, scene.language, adversity=asked)
    )


def _language(request: Request, seen: Visit, draft: Draft | None) -> str:
    """The one chosen on this page, before, for the link; else the browser's."""
    chosen = request.query_params.get("language", "")
    before = (draft and draft.language) or seen.link.language
    if chosen in languages():
        return chosen
    return before if before in languages() else chosen_language(request)
