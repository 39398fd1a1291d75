"""The desk without a browser: who sees what, what each form does, and what no page ever tells."""

import csv
import io
import re
from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest
from support import builders
from support.browser.form_patients import NUMBERS, link_of
from support.browser.practitioners import at_desk, person, send, token_in, visiting
from support.builders import do
from support.callers import audited

from api.desk.csv_export import escape_formula
from api.http.rate_limit import RateLimiter
from api.store.accounts import letterheads
from api.store.forms import form_settings, links
from api.store.screenings import screenings
from schemas.form_settings import EmergencyNumber, FormSettings
from scoring.catalogue import load_catalogue
from scoring.engine import assess

NOBODYS = "6f6f6f6f-0000-4000-8000-00000000dead"
PAGES = [
    "/desk",
    "/desk/new",
    "/desk/new?rulebook=nociplastic",
    "/desk/links",
    "/desk/links/new",
    "/desk/account",
]
OF_A_SCREENING = ["", "/evidence", "/answers", "/note", "/report.pdf", "/report.txt"]
FORMS = [
    "/desk/screenings/{screening}/acknowledgements",
    "/desk/screenings/{screening}/entered-in-error",
    "/desk/screenings/{screening}/answers",
    "/desk/links/{link}/revoke",
]
ANSWERED = {"q0": "44", "q1": "60"}


@pytest.fixture
def store(kept_service):
    kept_service.state.limiter = RateLimiter()
    return kept_service.state.store


@pytest.fixture
def grace(store, kept_clinic):
    return person(store, kept_clinic)


@pytest.fixture
def desk(kept_service, grace):
    return at_desk(kept_service, grace)


@pytest.fixture
def flagged(store, kept_clinic):
    """A screening with a red flag."""
    return builders.add(store, kept_clinic, "MRN-0042", example="red_flag", name="Jo Canary").id


def page_of(screening: str, rest: str = "") -> str:
    return f"/desk/screenings/{screening}{rest}"


def answering(store, clinic, **answers) -> str:
    """A screening of these answers."""
    assessment = assess(load_catalogue().find_active("nociplastic"), answers)
    kept = builders.intake("MRN-0043")._replace(answers=answers, assessment=assessment)
    return do(store, clinic, screenings.add_screening, kept).id


def told(screening) -> dict:
    """The answers, whatever the order in which several were marked."""
    return {
        name: set(answer) if isinstance(answer, list) else answer
        for name, answer in screening.answers.items()
    }


def addressed(form: str, screening: str, link: str) -> str:
    return form.format(screening=screening, link=link)


class TestEveryPage:
    @pytest.mark.parametrize("path", PAGES)
    def test_is_shown_to_who_is_signed_in_alone(self, kept_service, desk, path):
        assert visiting(kept_service).get(path).headers["location"] == "/sign-in"
        assert desk.get(path).status_code == 200

    @pytest.mark.parametrize("rest", OF_A_SCREENING)
    def test_of_a_screening_is_shown_to_its_organisation_alone(
        self, kept_service, store, desk, other_clinic, flagged, rest
    ):
        assert desk.get(page_of(flagged, rest)).status_code == 200
        other = at_desk(kept_service, person(store, other_clinic))
        anothers = other.get(page_of(flagged, rest))
        nobodys = other.get(page_of(NOBODYS, rest))
        assert (anothers.status_code, nobodys.status_code) == (404, 404)
        assert anothers.text.replace(flagged, NOBODYS) == nobodys.text
        assert visiting(kept_service).get(page_of(flagged, rest)).status_code == 303

    @pytest.mark.parametrize("form", FORMS)
    def test_a_form_for_what_another_has_does_as_for_what_nobody_has(
        self, kept_service, store, kept_clinic, other_clinic, flagged, form
    ):
        link, _ = link_of(store, kept_clinic)
        other = at_desk(kept_service, person(store, other_clinic))
        fields = {"done": "x", "reason": "x"} | ANSWERED
        anothers = send(other, "/desk/account", addressed(form, flagged, link), **fields)
        nobodys = send(other, "/desk/account", addressed(form, NOBODYS, NOBODYS), **fields)
        assert (anothers.status_code, nobodys.status_code) == (404, 404)
        found = do(store, kept_clinic, screenings.find_screening, flagged)
        assert (found.state, found.acknowledgements) == ("final", ())
        assert do(store, kept_clinic, links.find_link, link).state == "new"

    def test_lists_and_finds_and_exports_nothing_of_another(
        self, kept_service, store, other_clinic, flagged
    ):
        other = at_desk(kept_service, person(store, other_clinic))
        found = send(other, "/desk", "/desk/find", patient="MRN-0042").text
        exported = send(other, "/desk/account", "/desk/export", patient="MRN-0042").text
        for text in (other.get("/desk").text, other.get("/desk/links").text, found, exported):
            assert flagged not in text
            assert "Jo Canary" not in text

    @pytest.mark.parametrize("path", [*PAGES, *OF_A_SCREENING])
    def test_is_kept_nowhere_framed_nowhere_and_tells_no_patient_in_its_title(
        self, desk, flagged, path
    ):
        answer = desk.get(path if path.startswith("/desk") else page_of(flagged, path))
        assert answer.headers["cache-control"] == "no-store"
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        if answer.headers["content-type"].startswith("text/html"):
            title = re.search(r"<title>(.*?)</title>", answer.text)[1]
            assert not re.search("MRN|Canary", title)
            assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=", answer.text)
            addresses = " ".join(re.findall(r'(?:href|action)="([^"]*)"', answer.text))
            assert not re.search("MRN|Canary", addresses)

    @pytest.mark.parametrize(
        ("scopes", "refused"),
        [
            (["reports:read"], ["/desk", "/desk/links", "/desk/new", "", "/evidence", "/answers"]),
            (["screenings:read"], ["/desk/links", "/desk/new", "/answers", "/note", "/report.pdf"]),
            (["screenings:read", "reports:read"], ["/desk/links/new", "/desk/new", "/answers"]),
        ],
    )
    def test_is_refused_without_its_scope(
        self, kept_service, kept_clinic, store, flagged, scopes, refused
    ):
        client = at_desk(kept_service, person(store, kept_clinic, scopes))
        for path in refused:
            answer = client.get(path if path.startswith("/desk") else page_of(flagged, path))
            assert answer.status_code == 403, path
        row = audited(kept_service, kept_clinic)[-1]
        assert (row.action, row.outcome, row.means) == ("refuse", "missing_scope", "session")

    def test_leaves_a_row_of_audit_in_the_name_of_who_looked(
        self, kept_service, kept_clinic, desk, grace, flagged
    ):
        desk.get(page_of(flagged))
        rows = [each for each in audited(kept_service, kept_clinic) if each.actor == grace.id]
        assert ("read", "screening", flagged) in [(e.action, e.kind, e.target) for e in rows]


class TestTheList:
    def test_tells_the_tier_first_and_whether_it_was_seen_to(self, desk, flagged):
        row = re.search(r"<tr.*?</tr>", desk.get("/desk").text.partition("<tbody>")[2], re.DOTALL)[
            0
        ]
        first = row.partition("</td>")[0]
        assert "T0 · Emergency now" in first
        assert "not acknowledged yet" in first
        send(desk, page_of(flagged), page_of(flagged, "/acknowledgements"), done="sent on")
        assert "1 red flag, acknowledged" in desk.get("/desk").text

    def test_shows_what_was_begun_under_a_link_and_needs_a_look(self, store, kept_clinic, desk):
        from api.store.forms import drafts
        from schemas.links import Draft

        link, _ = link_of(store, kept_clinic, reference="MRN-0777")
        do(store, kept_clinic, drafts.save_draft, link, Draft(tier="T1"))
        text = desk.get("/desk").text
        assert text.index("MRN-0777") < text.index("<h1>")
        assert "MRN-0777" not in desk.get("/desk?tier=T0").text

    def test_pins_what_nobody_acknowledged_with_the_tier_first_however_old(
        self, store, kept_clinic, desk, flagged
    ):
        t1 = answering(store, kept_clinic, rf_general=["fever_or_rigors"])
        for n in range(25):
            builders.add(store, kept_clinic, f"MRN-1{n:03}", example="too_little_known")
        text = desk.get("/desk").text
        pinned, _, rest = text.partition("<h1>")
        assert page_of(flagged) not in rest
        assert pinned.index(page_of(flagged)) < pinned.index(page_of(t1))
        send(desk, page_of(flagged), page_of(flagged, "/acknowledgements"), done="sent on")
        send(desk, page_of(t1), page_of(t1, "/entered-in-error"), reason="another person")
        pinned = desk.get("/desk").text.partition("<h1>")[0]
        assert page_of(flagged) not in pinned
        assert page_of(t1) not in pinned

    def test_names_the_red_flags_of_what_was_not_sent_and_what_to_do(
        self, store, kept_clinic, desk
    ):
        from api.store.forms import drafts
        from schemas.links import Draft

        marked = {
            "rf_personal_safety": ["unsafe_at_home"],
            "rf_spine_and_nerves": ["saddle_numbness"],
        }
        link, _ = link_of(store, kept_clinic, reference="MRN-0777")
        do(store, kept_clinic, drafts.save_draft, link, Draft(answers=marked, tier="T0"))
        other, _ = link_of(store, kept_clinic, reference="MRN-0778")
        do(store, kept_clinic, drafts.save_draft, other, Draft(tier="T1"))
        pinned = desk.get("/desk").text.partition("<h1>")[0]
        assert pinned.index("MRN-0777") < pinned.index("MRN-0778")
        assert "Numbness between the legs" in pinned
        assert "Speak with the person alone today" in pinned
        assert "Taubheit" in desk.get("/desk?language=de").text.partition("<h1>")[0]

    def test_says_no_red_flag_only_where_all_were_asked(self, store, kept_clinic, desk):
        def first_line() -> str:
            return desk.get("/desk").text.partition("<tbody>")[2].partition("</td>")[0]

        builders.add(store, kept_clinic, "MRN-0001", example="too_little_known")
        assert "Red flags not asked" in first_line()
        answering(store, kept_clinic, rf_general=[])
        assert "Not all red flags asked" in first_line()
        asked = load_catalogue().find_active("nociplastic").rulebook.rulebook.safety_questions
        answering(store, kept_clinic, **{name: [] for name in asked})
        assert "No red flag reported" in first_line()
        page = desk.get("/desk/new?rulebook=phq4").text
        once = re.search(r'name="once" value="([^"]+)"', page)[1]
        at = "/desk/new?rulebook=phq4"
        made = send(desk, at, at, reference="MRN-1", q0="n1", once=once)
        assert made.status_code == 303
        assert "Red flags not asked" in first_line()

    def test_is_narrowed_by_tier_and_instrument_and_turned_by_pages(
        self, store, kept_clinic, desk, flagged
    ):
        for n in range(26):
            builders.add(store, kept_clinic, f"MRN-1{n:03}", example="too_little_known")
        text = desk.get("/desk").text
        assert text.count("<tr>") == 26
        following = re.search(r'href="(/desk\?cursor=[^"]+)"', text)[1]
        assert "MRN-0042" in desk.get(following).text
        assert flagged in desk.get("/desk?tier=T0").text
        assert flagged not in desk.get("/desk?tier=T2").text
        assert flagged not in desk.get("/desk?rulebook=phq4").text
        narrowed = desk.get("/desk?tier=t0").text
        assert flagged in narrowed
        assert '<option value="T0" selected>' in narrowed
        assert desk.get("/desk?tier=none").status_code == 200
        assert desk.get("/desk?tier=T9").status_code == 404

    def test_tells_days_and_times_by_the_clock_of_its_organisation(self, kept_service, store):
        own = builders.clinic(store, "Clinic on the Atoll")
        do(store, own, letterheads.update_letterhead, {"time_zone": "Pacific/Kiritimati"})
        screening = builders.add(store, own, "MRN-0042", example="red_flag")
        there = screening.created_at.astimezone(ZoneInfo("Pacific/Kiritimati"))
        desk = at_desk(kept_service, person(store, own))
        assert f"{there:%H:%M} +14" in desk.get("/desk").text
        tomorrow = (there + timedelta(days=1)).date()
        for since, shown in ((there.date(), True), (tomorrow, False)):
            text = desk.get(f"/desk?since={since}").text
            assert (page_of(screening.id) in text) is shown

    def test_finds_a_patient_by_a_form_and_never_by_an_address(self, desk, flagged):
        assert flagged in send(desk, "/desk", "/desk/find", patient=" MRN-0042 ").text
        assert flagged not in send(desk, "/desk", "/desk/find", patient="MRN-004").text
        assert send(desk, "/desk", "/desk/find", patient="MRN\0").status_code == 422
        assert desk.get("/desk/find?patient=MRN-0042").status_code in (404, 405)

    @pytest.mark.parametrize(
        "query", ["cursor=x", "tier=%00", "tier=" + "t" * 61, "since=9999-99-99", "x=1"]
    )
    def test_bears_any_address(self, desk, query):
        assert desk.get(f"/desk?{query}").status_code < 500


class TestAScreening:
    def test_shows_red_flags_before_everything_it_concludes(self, desk, flagged):
        text = desk.get(page_of(flagged)).text
        assert text.index("Numbness between the legs") < text.index("What the answers point to")

    def test_unfolds_every_reason_to_rationale_and_source(self, store, kept_clinic, desk):
        made = builders.add(store, kept_clinic, "MRN-0002", example="widespread_pain")
        text = desk.get(page_of(made.id)).text
        weighed = list(made.assessment.criteria or ())
        reasons = re.findall(r'<summary><span class="points">.*?</details>', text, re.DOTALL)
        assert len(reasons) == len(weighed)
        for each in reasons:
            assert "Why it counts" in each
            assert len(re.search(r"Why it counts</h4>\s*<p>(.*?)</p>", each, re.DOTALL)[1]) > 20
            assert "Sources" in each

    def test_is_acknowledged_with_who_when_and_what_was_done(
        self, store, kept_clinic, desk, grace, flagged
    ):
        before = do(store, kept_clinic, screenings.find_screening, flagged)
        at = page_of(flagged, "/acknowledgements")
        answer = send(desk, page_of(flagged), at, done="Sent to\r\nthe emergency department")
        assert answer.headers["location"] == page_of(flagged)
        after = do(store, kept_clinic, screenings.find_screening, flagged)
        assert after.assessment == before.assessment
        [given] = after.acknowledgements
        assert (given.by, given.practitioner) == (grace.id, f"ref of {grace.name}")
        assert given.done == "Sent to\nthe emergency department"
        text = desk.get(page_of(flagged)).text
        assert "Dr Grace Example" in text
        assert "emergency department" in text

    @pytest.mark.parametrize("done", ["", "   ", "x" * 10_001, "a\u0000b"])
    def test_is_not_acknowledged_by_what_is_no_text(self, store, kept_clinic, desk, flagged, done):
        at = page_of(flagged, "/acknowledgements")
        answer = send(desk, page_of(flagged), at, done=done)
        assert answer.status_code == 422
        assert 'id="done-wrong"' in answer.text
        assert do(store, kept_clinic, screenings.find_screening, flagged).acknowledgements == ()

    def test_entered_in_error_says_so_everywhere(self, desk, flagged):
        send(desk, page_of(flagged), page_of(flagged, "/entered-in-error"), reason="another person")
        text = desk.get(page_of(flagged)).text
        assert "another person" in text
        assert page_of(flagged, "/answers") not in text
        assert "entered in error" in desk.get("/desk").text
        assert "another person" in desk.get(page_of(flagged, "/report.txt")).text

    @pytest.mark.parametrize(
        ("suffix", "starts"),
        [("pdf", b"%PDF"), ("html", b"<!DOCTYPE html"), ("rtf", b"{\\rtf"), ("xml", b"<?xml")],
    )
    def test_is_downloaded_in_each_format_and_kept_as_issued(
        self, kept_service, kept_clinic, desk, flagged, suffix, starts
    ):
        answer = desk.get(page_of(flagged, f"/report.{suffix}"))
        assert answer.content[:40].lower().startswith(starts.lower())
        assert answer.headers["content-disposition"].endswith(f'"nociscreen-report.{suffix}"')
        assert audited(kept_service, kept_clinic)[-1].action == "report"

    def test_gives_the_patients_sheet_in_each_language_whatever_the_desk_speaks(
        self, desk, flagged
    ):
        text = desk.get(page_of(flagged)).text
        sheets = [f"/report.pdf?document=patient&amp;locale={each}" for each in ("en", "de", "es")]
        assert all(f'href="{page_of(flagged, each)}"' in text for each in sheets)
        sheet = page_of(flagged, "/report.html?document=patient&locale=")
        for asked, spoken in (("en", "en"), ("de", "de"), ("es", "es"), ("", "en"), ("xx", "en")):
            told = desk.get(sheet + asked)
            assert f'lang="{spoken}"' in told.text[:200]
            named = told.headers["content-disposition"]
            assert named == 'attachment; filename="nociscreen-patient-sheet.html"'

    def test_is_printed_under_the_letterhead_of_its_organisation(self, kept_service, store):
        own = builders.clinic(store, "Clinic on the Hill", test=True)
        do(store, own, letterheads.update_letterhead, {"address": ("1 Hill Road",)})
        screening = builders.add(store, own, "MRN-0042").id
        text = at_desk(kept_service, person(store, own)).get(page_of(screening, "/report.txt")).text
        assert text.startswith("Clinic on the Hill\n1 Hill Road\n")

    def test_has_no_format_that_there_is_not(self, desk, flagged):
        assert desk.get(page_of(flagged, "/report.exe")).status_code == 404

    def test_gives_the_note_to_copy_and_as_a_file(self, desk, flagged):
        page = desk.get(page_of(flagged, "/note"))
        file = desk.get(page_of(flagged, "/note?file=true"))
        assert file.headers["content-type"].startswith("text/plain")
        assert "RED FLAGS" in file.text
        assert "RED FLAGS" in page.text

    def test_speaks_the_language_that_was_chosen_and_goes_on_to(self, desk, flagged):
        assert 'lang="de"' in desk.get("/desk?language=de").text
        text = desk.get(page_of(flagged)).text
        assert "Warnzeichen" in text
        assert "Taubheit" in text


class TestTheEvidenceSheet:
    def test_stands_beside_the_earlier_ones_of_the_same_person_alone(
        self, store, kept_clinic, desk
    ):
        one = builders.add(store, kept_clinic, "MRN-0003", system="urn:a")
        builders.add(store, kept_clinic, "MRN-0003", system="urn:b")
        two = builders.add(store, kept_clinic, "MRN-0003", system="urn:a")
        text = desk.get(page_of(two.id, "/evidence")).text
        assert text.count('<td class="state') == 13 * 2
        assert desk.get(page_of(one.id, "/evidence")).text.count('<td class="state') == 13

    def test_is_empty_where_the_result_is_withheld(self, desk, flagged):
        assert "no evidence sheet" in desk.get(page_of(flagged, "/evidence")).text


class TestAnswersAtTheDesk:
    def test_make_a_new_screening_once_however_often_they_are_sent(
        self, store, kept_clinic, desk, grace
    ):
        page = desk.get("/desk/new?rulebook=phq4")
        once = re.search(r'name="once" value="([^"]+)"', page.text)[1]
        fields = {f"q{n}": "n1" for n in range(4)} | {
            "reference": "MRN-0800", "note": "by hand", "once": once, "token": token_in(page.text),
        }  # fmt: skip
        first, second = (desk.post("/desk/new?rulebook=phq4", data=fields) for _ in range(2))
        assert first.status_code == 303
        assert first.headers["location"] == second.headers["location"]
        made = do(store, kept_clinic, screenings.find_screening, first.headers["location"][-36:])
        assert (made.origin.means, made.origin.actor) == ("form", grace.id)
        assert made.context.clinician.reference == f"ref of {grace.name}"
        assert made.context.note == "by hand"
        assert set(made.answers.values()) == {1}

    @pytest.mark.parametrize(
        ("given", "faulty"),
        [({"reference": ""}, "reference"), ({"note": "x" * 10_001}, "note"),
         ({"q0": "n9"}, "q0"), ({"name": "x" * 201}, "name")],
        ids=str,
    )  # fmt: skip
    def test_are_kept_on_the_page_where_something_is_to_be_put_right(self, desk, given, faulty):
        at = "/desk/new?rulebook=phq4"
        answer = send(desk, at, at, **{"reference": "MRN-1", "q1": "n2"} | given)
        assert answer.status_code == 422
        assert f'id="{faulty}-wrong"' in answer.text
        assert re.search(r'id="q1-2" value="n2" checked', answer.text)

    def test_correct_a_screening_by_a_new_one_that_is_linked(
        self, store, kept_clinic, desk, grace, flagged
    ):
        original = do(store, kept_clinic, screenings.find_screening, flagged)
        at = page_of(flagged, "/answers")
        page = desk.get(at).text
        kept = {name: [] for name in re.findall(r'name="(q\d+)"', page)}
        for name, value in re.findall(
            r'<input type="(?:radio|checkbox)" name="(q\d+)" id="[^"]+" value="([^"]+)" checked',
            page,
        ):
            kept[name].append(value)
        for name, value in re.findall(r'name="(q\d+)" id="q\d+" value="([0-9.]+)"', page):
            kept[name].append(value)
        fields = {name: values for name, values in kept.items() if values}
        same = desk.post(at, data=fields | {"token": token_in(page), "note": "looked at again"})
        assert same.status_code == 303, same.text
        amended = do(store, kept_clinic, screenings.find_screening, same.headers["location"][-36:])
        assert told(amended) == told(original)
        assert amended.replaces == flagged
        assert amended.patient == original.patient
        assert amended.context.note == "looked at again"
        assert amended.context.clinician.reference == f"ref of {grace.name}"
        assert do(store, kept_clinic, screenings.find_screening, flagged).state == "amended"
        assert desk.post(at, data=fields | {"token": token_in(page)}).status_code == 409

    def test_of_no_instrument_are_not_there(self, desk):
        assert desk.get("/desk/new?rulebook=nothing").status_code == 404


class TestLinks:
    def test_are_made_with_a_code_and_shown_once(self, desk):
        fields = {"reference": "MRN-0900", "rulebook": "phq4", "kind": "once", "days": "3"}
        made = send(desk, "/desk/links/new", "/desk/links/new", **fields)
        address = re.search(r'id="url" readonly value="([^"]+)"', made.text)[1]
        assert "<svg" in made.text
        listed = desk.get("/desk/links").text
        assert "MRN-0900" in listed
        assert address.rpartition("/")[2] not in listed
        path = address.removeprefix("http://127.0.0.1:8000")
        assert desk.get(path).status_code == 200

    def test_are_revoked(self, store, kept_clinic, desk):
        link, secret = link_of(store, kept_clinic)
        send(desk, "/desk/links", f"/desk/links/{link}/revoke")
        assert do(store, kept_clinic, links.find_link, link).state == "revoked"
        assert desk.get(f"/intake/{secret}").status_code == 404

    @pytest.mark.parametrize(
        ("given", "faulty"),
        [({"reference": " "}, "reference"), ({"days": "0"}, "days"), ({"days": "x"}, "days"),
         ({"name": "a\u0001"}, "name")],
        ids=str,
    )  # fmt: skip
    def test_are_not_made_of_what_cannot_be(self, desk, given, faulty):
        fields = {"reference": "MRN-0901", "rulebook": "phq4", "days": "3"} | given
        answer = send(desk, "/desk/links/new", "/desk/links/new", **fields)
        assert answer.status_code == 422
        assert f'id="{faulty}-wrong"' in answer.text


class TestTheForms:
    @pytest.fixture
    def head(self, kept_service, kept_clinic, store):
        """A browser of a practitioner who administers."""
        return at_desk(kept_service, person(store, kept_clinic, ["screenings:write", "admin"]))

    def test_are_set_by_whoever_administers_alone(self, desk):
        assert desk.get("/desk/forms").status_code == 403
        assert "/desk/forms" not in desk.get("/desk").text

    def test_are_set_whole_and_shown_again(self, store, kept_clinic, head):
        before = FormSettings(consent={"fr": "Oui."}, emergency_numbers=NUMBERS)
        do(store, kept_clinic, form_settings.update_form_settings, before)
        assert 'value="116 123"' in head.get("/desk/forms").text
        fields = {
            "label2": "Crisis line", "number2": "116 123", "crisis2": "yes", "label5": "Emergency",
            "number5": "112", "consent_en": "We\r\nagree.", "privacy_de": "Unser.",
            "ask_again_days": "30", "adversity": "no",
        }  # fmt: skip
        assert send(head, "/desk/forms", "/desk/forms", **fields).status_code == 303
        assert do(store, kept_clinic, form_settings.load_form_settings) == FormSettings(
            consent={"fr": "Oui.", "en": "We\nagree."},
            privacy={"de": "Unser."},
            emergency_numbers=(
                EmergencyNumber(label="Crisis line", number="116 123", crisis=True),
                EmergencyNumber(label="Emergency", number="112"),
            ),
            adversity_questions=False,
            ask_again_days=30,
        )

    @pytest.mark.parametrize(
        ("given", "faulty"),
        [({"label3": "Emergency"}, "number3"), ({"number3": "112"}, "label3"),
         ({"label3": "Emergency", "number3": "call us"}, "number3"),
         ({"ask_again_days": "0"}, "ask_again_days"), ({"ask_again_days": "²"}, "ask_again_days"),
         ({"consent_es": "a\u0001"}, "consent_es"), ({"privacy_en": "x" * 10_001}, "privacy_en")],
        ids=str,
    )  # fmt: skip
    def test_say_what_is_to_be_put_right_and_change_nothing(
        self, store, kept_clinic, head, given, faulty
    ):
        fields = {"ask_again_days": "30", "label0": "Kept on the page"} | given
        answer = send(head, "/desk/forms", "/desk/forms", **fields)
        assert answer.status_code == 422
        assert f'id="{faulty}-wrong"' in answer.text
        assert "Kept on the page" in answer.text
        assert do(store, kept_clinic, form_settings.load_form_settings) == FormSettings()

    def test_without_numbers_warn_whoever_makes_a_link(self, store, kept_clinic, desk, head):
        text = head.get("/desk/links/new").text
        assert "No number to call is set" in text
        assert 'href="/desk/forms">Set the numbers' in text
        assert "Ask whoever administers" in desk.get("/desk/links/new").text
        do(
            store,
            kept_clinic,
            form_settings.update_form_settings,
            FormSettings(emergency_numbers=NUMBERS[:1]),
        )
        assert "No number for a crisis is set" in head.get("/desk/links/new").text
        do(
            store,
            kept_clinic,
            form_settings.update_form_settings,
            FormSettings(emergency_numbers=NUMBERS),
        )
        assert 'id="unset"' not in head.get("/desk/links/new").text


class TestTheExport:
    def test_holds_what_the_filters_let_through_over_all_pages(self, store, kept_clinic, desk):
        for n in range(3):
            builders.add(store, kept_clinic, f"MRN-2{n:03}", example="red_flag")
        builders.add(store, kept_clinic, "MRN-0002", example="too_little_known")
        answer = send(desk, "/desk", "/desk/export", tier="T0")
        rows = list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))
        assert {row["tier"] for row in rows} == {"T0"}
        assert len(rows) == 3

    @pytest.mark.usefixtures("flagged")
    def test_tells_what_was_not_asked(self, store, kept_clinic, desk):
        answering(store, kept_clinic, rf_general=[])
        answer = send(desk, "/desk", "/desk/export")
        rows = list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))
        told = [(row["tier"], row["all_asked"], row["not_asked"]) for row in rows]
        assert told == [("none", "no", "5"), ("T0", "yes", "0")]

    @pytest.mark.usefixtures("flagged")
    def test_is_audited_by_how_many_it_gave_out(self, kept_service, kept_clinic, desk):
        send(desk, "/desk", "/desk/export")
        row = audited(kept_service, kept_clinic)[-1]
        assert (row.action, row.kind, row.count) == ("export", "screening", 1)

    @pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", " ="])
    def test_holds_no_cell_that_a_spreadsheet_reckons_with(self, start):
        assert escape_formula(f"{start}1+1") == f"'{start}1+1"
        assert escape_formula("MRN-0042") == "MRN-0042"

    def test_of_a_patient_whose_number_is_a_formula_is_harmless(self, store, kept_clinic, desk):
        builders.add(store, kept_clinic, '=HYPERLINK("http://evil.example")', example="red_flag")
        answer = send(desk, "/desk", "/desk/export")
        rows = list(csv.reader(io.StringIO(answer.content.decode("utf-8-sig"))))
        assert not any(cell.startswith(("=", "+", "@")) for row in rows for cell in row)
