"""`nociscreen demo data`: fill a sandbox organisation with invented people."""

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any
from uuid import NAMESPACE_URL, uuid5

import typer

from api.cli.context import (
    build_operator,
    fail,
    load_settings,
    open_configured_store,
    print_json,
)

if TYPE_CHECKING:
    from api.cli.demo.people import Person, Visit
    from api.store.store import Store
    from api.store.transaction import Transaction
    from schemas.patients.screening import Screening

ORGANISATION_NAME = "Sandbox (invented people)"
PRACTITIONER = "Dr Demo"
commands = typer.Typer(no_args_is_help=True, help="Invented data to try the service with.")


@commands.callback()
def demo() -> None:
    """Invented data to try the service with."""


@commands.command("data")
def add_demo_data(
    people: Annotated[int, typer.Option(min=1, max=500, help="How many people.")] = 50,
    until: Annotated[
        str | None, typer.Option(help="The last day, YYYY-MM-DD; without it, today.")
    ] = None,
    *,
    beside_patients: Annotated[
        bool,
        typer.Option(
            "--beside-patients",
            help="Also in a database that holds screenings of an organisation that is not a test.",
        ),
    ] = False,
) -> None:
    """Create a test organisation with invented people who were screened over two years.

    Some have open links, drafts and screenings that are due. The same options give the same people
    and answers. Each run creates an organisation of its own. Prints its id and the address at which
    its practitioner signs in.
    """
    from api.cli.demo.people import invent_people
    from api.store.accounts import invitations, organisations, practitioners

    last_day = _parse_day(until)
    settings = load_settings()
    with open_configured_store(settings, may_create=True) as store:
        if not beside_patients:
            _refuse_patients(store)
        organisation = organisations.add_organisation(store, ORGANISATION_NAME, test=True)
        operator = build_operator(organisation.id)
        with store.transaction(operator) as work:
            practitioner = practitioners.add_practitioner(
                work, "demo", PRACTITIONER, operator.authority.scopes
            )
            _, secret = invitations.add_invitation(work, practitioner.id)
            work.audit("administer", "practitioner", practitioner.id)
        screening_count = 0
        for person in invent_people(people, last_day):
            with store.transaction(operator) as work:
                screening_count += _add_person(work, person, last_day)
    print_json(
        {
            "organisation": organisation.id,
            "people": people,
            "screenings": screening_count,
            "sign_in": f"{settings.public_url}/invitation/{secret}",
        }
    )


def _parse_day(text: str | None) -> date:
    today = datetime.now(UTC).date()
    if text is None:
        return today
    try:
        day = date.fromisoformat(text)
    except ValueError:
        fail("--until: must be a day such as 2026-11-20")
    if day > today:
        fail("--until: must not be later than today")
    return day


def _refuse_patients(store: "Store") -> None:
    """Exit 2 if an organisation that is not a test holds a screening."""
    from api.store.accounts import organisations
    from api.store.screenings.screenings import has_screenings

    with store.read_all_organisations() as session:
        real = [it for it in organisations.list_organisations(session) if not it.test]
    for organisation in real:
        with store.continue_read(build_operator(organisation.id)) as work:
            if has_screenings(work):
                fail(
                    f"organisation {organisation.id} is not a test organisation and has screenings;"
                    " use another database, or --beside-patients"
                )


def _add_person(work: "Transaction", person: "Person", last_day: date) -> int:
    """Store the visits of a person and what follows from them; return how many screenings."""
    from api.store.forms import links, open_links
    from api.store.screenings import screenings

    written_at = work.now
    new_screenings = []
    for visit in person.visits:
        work.now = visit.at - timedelta(hours=2)
        link, _ = links.add_link(work, _request_link(person))
        work.now = visit.at
        open_links.mark_submitted(work, link.id)
        screening = _add_visit(work, person, visit)
        open_links.attach_screening(work, link.id, screening.id)
        new_screenings.append(screening)
    for screening in new_screenings[: None if person.number % 3 else -1]:
        if screening.assessment.safety.flags:
            work.now = screening.created_at + timedelta(hours=1)
            screenings.acknowledge_red_flags(work, screening, PRACTITIONER, "Spoke to the person.")
    if person.number % 10 == 4:
        work.now = new_screenings[0].created_at + timedelta(days=1)
        screenings.mark_entered_in_error(work, new_screenings[0], "Answered for another person.")
    if person.number % 10 in {3, 7}:
        work.now = min(written_at, datetime.combine(last_day, datetime.min.time(), UTC))
        _add_open_link(work, person, has_draft=person.number % 10 == 3)
    work.now = written_at
    for screening in new_screenings:
        work.audit("create", "screening", screening.id)
    return len(new_screenings)


def _request_link(person: "Person") -> Any:
    from api.store.forms.links import LinkRequest
    from scoring.catalogue import load_catalogue

    rulebook = load_catalogue().find_active("nociplastic").name
    return LinkRequest(person.patient, rulebook, ask_again_days=90, language=person.language)


def _add_visit(work: "Transaction", person: "Person", visit: "Visit") -> "Screening":
    from api.intakes import reader
    from api.store.screenings import screenings
    from schemas.patients.patient import Clinician
    from schemas.patients.screening import ScreeningContext
    from scoring.answer_model import find_answer_model
    from scoring.catalogue import load_catalogue

    loaded = load_catalogue().find_active("nociplastic")
    context = ScreeningContext(
        answered_on=visit.at.date(),
        answered_by="patient",
        clinician=Clinician(reference=PRACTITIONER),
    )
    submission = reader.Submission(person.patient, context, "form", attested=True)
    answers = find_answer_model(loaded).model_validate(visit.answers)
    name = f"{work.organisation}/{person.patient.reference}/{visit.at}"
    return screenings.add_screening(
        work,
        reader.score_answers(loaded, answers, submission),
        requested_id=str(uuid5(NAMESPACE_URL, name)),
    )


def _add_open_link(work: "Transaction", person: "Person", *, has_draft: bool) -> None:
    """Add a link that is not answered yet, or whose answers are not sent yet."""
    from api.store.forms import drafts, links
    from schemas.patients.links import Draft
    from scoring.catalogue import load_catalogue
    from scoring.engine import assess

    link, _ = links.add_link(work, _request_link(person))
    if has_draft:
        answers = person.visits[-1].answers
        tier = assess(load_catalogue().find_active("nociplastic"), answers).safety.tier
        draft = Draft(answers=answers, language=person.language, tier=tier)
        drafts.save_draft(work, link.id, draft)
