"""The sender: what each occasion sends, to whom and how often, through a real mail server."""

import re
from datetime import timedelta

import pytest
from starlette.testclient import TestClient
from support import builders
from support.browser.form_patients import create_link
from support.builders import do
from support.form_controls import build_fields, find_control, find_step

from api.main import create_app
from api.notifications.sender import NotificationSender
from api.settings import Settings
from api.store.accounts import practitioners
from api.store.forms import form_settings, links, open_links
from api.store.notifications import occasions, outbox
from api.store.screenings import screenings
from schemas.notification import Recipient
from schemas.organisations.form_settings import FormSettings
from schemas.patients.patient import KnownPatient

PATIENT = {"reference": "MRN-0042", "name": "Zoe Canary"}
RECIPIENT = Recipient(medium="email", address="patient@example.org")
REPEAT_MINUTES = Settings().alert_repeat_minutes
RED_FLAG = ("rf_spine_and_nerves", "numb_between_legs")


def add_urgent_screening(store, clinic, name="Zoe Canary"):
    """Store a screening with a red flag, and announce it as the routes do."""
    screening = builders.add(store, clinic, example="red_flag", name=name)
    do(store, clinic, occasions.announce_screening, screening, is_urgent=True)
    return screening


def invite(store, clinic, **more):
    """Create a link for a patient and queue the invitation; return the link."""

    def invite_in(work):
        patient = KnownPatient(**PATIENT)
        request = links.LinkRequest(patient, "phq4@1.0.0", 90, language="de", **more)
        link, secret = links.add_link(work, request)
        occasions.invite_patient(
            work, link, RECIPIENT, f"https://nociscreen.example/intake/{secret}"
        )
        return link

    return do(store, clinic, invite_in)


def read_text(message) -> str:
    return message.get_content()


def list_recipients(mail_server) -> list[str]:
    return [envelope.rcpt_tos[0] for envelope in mail_server.envelopes]


def find_red_flag() -> tuple[str, object]:
    """Return a question and an answer to it that raises a red flag of the most urgent tier."""
    control = find_control(RED_FLAG[0])
    answers = [choice.answer for choice in control.choices]
    return RED_FLAG[0], RED_FLAG[1] if RED_FLAG[1] in answers else answers[0]


class TestADraftThatStopsAtARedFlag:
    @pytest.fixture
    def patient(self, settings, store):
        service = create_app(settings, store=store)
        yield TestClient(service, follow_redirects=False)
        service.services.renderer.close()

    def mark_red_flag(self, patient, secret):
        page = patient.get(f"/intake/{secret}")
        hidden_fields = dict(
            re.findall(r'type="hidden" name="(\w+)" value="([0-9a-f]{64})"', page.text)
        )
        assert (
            patient.post(f"/intake/{secret}", data=hidden_fields | {"agree": "yes"}).status_code
            == 303
        )
        question, answer = find_red_flag()
        path = f"/intake/{secret}/{find_step(question)}"
        fields = build_fields(**{question: [answer]}) | {"intent": "next"}
        return patient.post(path, data=hidden_fields | fields).headers["location"]

    def test_sends_one_message_that_says_nothing_about_the_patient(
        self, store, clinic, grace, patient, sender, mail_server
    ):
        _, secret = create_link(store, clinic)
        assert self.mark_red_flag(patient, secret).endswith("/advice")
        assert sender.send_all() == 1
        assert list_recipients(mail_server) == [grace.email]
        (message,) = mail_server.messages
        assert "https://nociscreen.example/desk" in read_text(message)
        raw_text = f"{message} {read_text(message)}"
        assert re.findall(rf"MRN|0042|{secret}|numb|legs|T0|T1", raw_text) == []
        assert sender.send_all() == 0

    @pytest.mark.usefixtures("grace")
    def test_is_announced_once_however_often_the_draft_is_saved(
        self, store, clinic, patient, sender, clock
    ):
        link, secret = create_link(store, clinic)
        self.mark_red_flag(patient, secret)
        do(store, clinic, occasions.announce_draft, link)
        assert sender.send_all() == 1
        do(store, clinic, occasions.announce_draft, link)
        assert sender.send_all() == 0
        clock.advance(minutes=REPEAT_MINUTES)
        assert sender.send_all() == 1


class TestAnAlert:
    @pytest.mark.usefixtures("grace")
    def test_is_repeated_until_the_red_flags_are_acknowledged(
        self, store, clinic, sender, mail_server, clock
    ):
        screening = add_urgent_screening(store, clinic)
        counts = [sender.send_all()]
        clock.advance(minutes=REPEAT_MINUTES, seconds=-1)
        counts.append(sender.send_all())
        clock.advance(seconds=1)
        counts.append(sender.send_all())
        do(store, clinic, screenings.acknowledge_red_flags, screening, "ref-1", "called")
        clock.advance(minutes=REPEAT_MINUTES)
        counts.append(sender.send_all())
        assert counts == [1, 0, 1, 0]
        assert len(mail_server.messages) == 2

    @pytest.mark.usefixtures("grace")
    def test_ends_when_the_screening_is_replaced_or_entered_in_error(self, store, clinic, sender):
        replaced, mistaken = (add_urgent_screening(store, clinic) for _ in range(2))
        do(store, clinic, screenings.amend_screening, replaced, builders.intake("MRN-0042"))
        do(store, clinic, screenings.mark_entered_in_error, mistaken, "wrong patient")
        assert sender.send_all() == 0

    def test_goes_to_active_practitioners_with_an_address_who_get_alerts(
        self, store, clinic, grace, sender, mail_server
    ):
        def add(reference, **changes):
            person = do(store, clinic, practitioners.add_practitioner, reference, "N", (),
                        f"{reference}@example.org")  # fmt: skip
            do(store, clinic, practitioners.update_practitioner, person.id, changes)

        add("quiet", gets_alerts=False)
        add("left", active=False)
        add("without", email=None)
        add("second")
        add_urgent_screening(store, clinic)
        sender.send_all()
        assert sorted(list_recipients(mail_server)) == [grace.email, "second@example.org"]

    def test_is_no_longer_sent_to_a_practitioner_who_turned_alerts_off(
        self, store, clinic, grace, sender
    ):
        add_urgent_screening(store, clinic)
        do(store, clinic, practitioners.update_practitioner, grace.id, {"gets_alerts": False})
        assert sender.send_all() == 0

    @pytest.mark.parametrize(("shows_initial", "subject_end"), [(False, "marked"), (True, "(Z.)")])
    @pytest.mark.usefixtures("grace")
    def test_shows_an_initial_only_where_the_practice_chose_so(
        self, store, clinic, sender, mail_server, shows_initial, subject_end
    ):
        changed = FormSettings(initial_in_mail=shows_initial)
        do(store, clinic, form_settings.update_form_settings, changed)
        add_urgent_screening(store, clinic)
        sender.send_all()
        (message,) = mail_server.messages
        assert message["subject"].endswith(subject_end)
        assert "Canary" not in f"{message} {read_text(message)}"

    def test_goes_before_everything_else_that_is_due(
        self, store, clinic, grace, sender, mail_server
    ):
        invite(store, clinic)
        add_urgent_screening(store, clinic)
        assert sender.send_all() == 2
        assert list_recipients(mail_server) == [grace.email, RECIPIENT.address]


class TestAnswersThatArrive:
    def announce(self, store, clinic, link):
        screening = builders.add(store, clinic, name="Zoe Canary")
        do(store, clinic, occasions.announce_screening, screening, is_urgent=False, link=link)

    def test_are_reported_once_to_the_practitioner_who_made_the_link(
        self, store, clinic, grace, sender, mail_server, clock
    ):
        do(store, clinic, practitioners.add_practitioner, "r", "N", (), "other@example.org")
        maker = clinic._replace(client=grace.id)
        link, _ = create_link(store, maker)
        self.announce(store, clinic, link)
        assert sender.send_all() == 1
        clock.advance(days=2)
        assert sender.send_all() == 0
        assert list_recipients(mail_server) == [grace.email]
        assert mail_server.messages[0]["subject"] == "A patient has sent answers"

    @pytest.mark.usefixtures("grace")
    def test_are_not_reported_a_day_late(self, store, clinic, sender, clock):
        link, _ = create_link(store, clinic)
        self.announce(store, clinic, link)
        clock.advance(days=1)
        assert sender.send_all() == 0


class TestAnInvitation:
    def find_content(self, store, clinic, link):
        return do(
            store,
            clinic,
            lambda work: outbox.decrypt_content(work, occasions.find_invitation(work, link.id)),
        )

    def test_holds_the_link_which_is_erased_once_it_was_sent(
        self, store, clinic, sender, mail_server
    ):
        link = invite(store, clinic)
        url = self.find_content(store, clinic, link).url
        sender.send_all()
        (message,) = mail_server.messages
        assert url in read_text(message)
        assert message["subject"] == "Ein Fragebogen von Harbour Clinic"
        assert message["from"].addresses[0].addr_spec == "desk@clinic.example"
        assert "MRN-0042" not in f"{message} {read_text(message)}"
        assert self.find_content(store, clinic, link).url is None

    def test_is_followed_by_one_reminder_without_the_link_in_the_same_thread(
        self, store, clinic, sender, mail_server, clock
    ):
        invite(store, clinic)
        sender.send_all()
        clock.advance(days=3)
        assert sender.send_all() == 1
        clock.advance(days=3)
        assert sender.send_all() == 0
        invitation, reminder = mail_server.messages
        assert reminder["in-reply-to"] == invitation["message-id"]
        assert "/intake/" not in read_text(reminder)

    @pytest.mark.parametrize("act", [links.revoke_link, open_links.mark_submitted])
    def test_is_followed_by_no_reminder_once_the_link_is_closed(
        self, store, clinic, sender, clock, act
    ):
        link = invite(store, clinic)
        sender.send_all()
        do(store, clinic, act, link.id)
        clock.advance(days=3)
        assert sender.send_all() == 0

    def test_is_followed_by_no_reminder_where_the_practice_wants_none(
        self, store, clinic, sender, clock
    ):
        do(store, clinic, form_settings.update_form_settings, FormSettings(reminder_days=0))
        invite(store, clinic)
        sender.send_all()
        clock.advance(days=13)
        assert sender.send_all() == 0


class TestAServerThatRefuses:
    def test_for_good_makes_a_bounce_that_is_parked_and_can_be_sent_again(
        self, store, clinic, sender, mail_server, clock
    ):
        mail_server.refusal = "550 5.1.1 no such mailbox"
        invite(store, clinic)
        assert sender.send_all() == 1
        clock.advance(days=1)
        assert sender.send_all() == 0
        (failed,) = do(store, clinic, outbox.list_failed_notifications)
        assert (failed.to, failed.reason, failed.code) == (RECIPIENT.address, "bounced", "550")
        mail_server.refusal = None
        do(store, clinic, outbox.retry_notification, failed.id)
        assert sender.send_all() == 1
        assert "/intake/" in read_text(mail_server.messages[0])
        assert do(store, clinic, outbox.list_failed_notifications) == ()

    def test_for_now_is_tried_again_with_the_delays_of_deliveries(
        self, store, clinic, sender, mail_server, clock
    ):
        mail_server.refusal = "451 4.7.1 try later"
        invite(store, clinic)
        waits = []
        for _ in range(3):
            assert sender.send_all() == 1
            waits.append(self.find_wait(store, clock))
            clock.advance(seconds=waits[-1])
        mail_server.refusal = None
        assert sender.send_all() == 1
        assert waits == [5, 10, 20]
        assert len(mail_server.messages) == 1

    def find_wait(self, store, clock) -> float:
        with store.read_all_organisations() as session:
            later = clock.now + timedelta(hours=1)
            assert outbox.list_due_notifications(session, clock.now) == []
            assert len(outbox.list_due_notifications(session, later)) == 1
            waits = (1, 5, 10, 20, 40)
            return next(
                wait
                for wait in waits
                if outbox.list_due_notifications(session, clock.now + timedelta(seconds=wait))
            )


class TestAServerThatIsAway:
    def test_loses_nothing(self, store, clinic, settings, grace, clock, sender, mail_server):
        away = settings.model_copy(update={"smtp_port": 1})
        add_urgent_screening(store, clinic)
        assert NotificationSender(store, away, clock).send_all() == 1
        clock.advance(seconds=5)
        assert sender.send_all() == 1
        assert list_recipients(mail_server) == [grace.email]

    def test_parks_a_message_after_many_tries(self, store, clinic, settings, clock):
        away = settings.model_copy(update={"smtp_port": 1, "delivery_attempts": 2})
        invite(store, clinic)
        sender = NotificationSender(store, away, clock)
        sender.send_all()
        clock.advance(hours=1)
        sender.send_all()
        (failed,) = do(store, clinic, outbox.list_failed_notifications)
        assert failed.reason == "unreachable"


class TestAClaim:
    def test_excludes_others_until_its_lease_has_passed(self, store, clinic, clock, sender):
        invite(store, clinic)

        def claim(work):
            with store.read_all_organisations() as session:
                (due,) = outbox.list_due_notifications(session, clock.now)
            return outbox.claim_notification(work, due.id, clock.now, 120.0)

        assert do(store, clinic, claim) is not None
        assert sender.send_all() == 0
        clock.advance(seconds=120)
        assert sender.send_all() == 1

    def test_works_on_each_database(self, own_store, settings, clock, mail_server):
        clinic = builders.clinic(own_store)
        invite(own_store, clinic)
        settings = settings.model_copy(update={"smtp_port": mail_server.port})
        sender = NotificationSender(own_store, settings, clock)
        assert [sender.send_all(), sender.send_all()] == [1, 0]
