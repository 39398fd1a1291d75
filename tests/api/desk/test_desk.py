"""The desk over HTTP: who sees what, what each form does and what no page reveals."""

import csv
import io
import re
from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest
from support import builders
from support.browser.form_patients import NUMBERS, create_link
from support.browser.practitioners import (
    add_practitioner_login,
    open_browser,
    open_signed_in_browser,
    read_csrf_token,
    submit_form,
)
from support.builders import do
from support.callers import audited, replace_service

from api.http.rate_limit import RateLimiter
from api.store.accounts import letterheads
from api.store.forms import form_settings, links, open_links
from api.store.screenings import screenings
from schemas.organisations.form_settings import FormSettings
from scoring.catalogue import load_catalogue
from scoring.engine import assess

UNKNOWN_ID = "6f6f6f6f-0000-4000-8000-00000000dead"
PAGES = [
    "/desk",
    "/desk/new",
    "/desk/new?rulebook=nociplastic",
    "/desk/links",
    "/desk/links/new",
    "/desk/account",
]
SCREENING_PAGES = [
    *("", "/reasons", "/answers-given", "/evidence", "/answers", "/note"),
    *("/report.pdf", "/report.txt"),
]
FORMS = [
    "/desk/screenings/{screening}/acknowledgements",
    "/desk/screenings/{screening}/entered-in-error",
    "/desk/screenings/{screening}/answers",
    "/desk/links/{link}/revoke",
    "/desk/links/{link}/addresses",
]
ANSWER_FIELDS = {"q0": "44", "q1": "60"}


@pytest.fixture
def store(kept_service):
    replace_service(kept_service, rate_limiter=RateLimiter())
    return kept_service.services.store


@pytest.fixture
def grace(store, kept_clinic):
    return add_practitioner_login(store, kept_clinic)


@pytest.fixture
def desk(kept_service, grace):
    return open_signed_in_browser(kept_service, grace)


@pytest.fixture
def flagged(store, kept_clinic):
    """A screening with a red flag."""
    return builders.add(store, kept_clinic, "MRN-0042", example="red_flag", name="Jo Canary").id


def build_path(screening: str, rest: str = "") -> str:
    return f"/desk/screenings/{screening}{rest}"


def add_screening(store, clinic, **answers) -> str:
    """Add a screening with these answers; return its id."""
    assessment = assess(load_catalogue().find_version("nociplastic@1.0.0"), answers)
    scored_intake = builders.intake("MRN-0043")._replace(answers=answers, assessment=assessment)
    return do(store, clinic, screenings.add_screening, scored_intake).id


def collect_answers(screening) -> dict:
    """Return the answers, with several selected options as a set."""
    return {
        name: set(answer) if isinstance(answer, list) else answer
        for name, answer in screening.answers.items()
    }


def fill_path(form: str, screening: str, link: str) -> str:
    return form.format(screening=screening, link=link)


class TestEveryPage:
    @pytest.mark.parametrize("path", PAGES)
    def test_is_shown_only_to_signed_in_practitioners(self, kept_service, desk, path):
        assert open_browser(kept_service).get(path).headers["location"] == "/sign-in"
        assert desk.get(path).status_code == 200

    @pytest.mark.parametrize("rest", SCREENING_PAGES)
    def test_of_a_screening_is_shown_only_to_its_organisation(
        self, kept_service, store, desk, other_clinic, flagged, rest
    ):
        assert desk.get(build_path(flagged, rest)).status_code == 200
        stranger = open_signed_in_browser(kept_service, add_practitioner_login(store, other_clinic))
        foreign = stranger.get(build_path(flagged, rest))
        unknown = stranger.get(build_path(UNKNOWN_ID, rest))
        assert (foreign.status_code, unknown.status_code) == (404, 404)
        assert foreign.text.replace(flagged, UNKNOWN_ID) == unknown.text
        assert open_browser(kept_service).get(build_path(flagged, rest)).status_code == 303

    @pytest.mark.parametrize("form", FORMS)
    def test_a_form_for_another_organisations_record_acts_as_for_an_unknown_one(
        self, kept_service, store, kept_clinic, other_clinic, flagged, form
    ):
        link, _ = create_link(store, kept_clinic)
        stranger = open_signed_in_browser(kept_service, add_practitioner_login(store, other_clinic))
        fields = {"done": "x", "reason": "x"} | ANSWER_FIELDS
        foreign = submit_form(stranger, "/desk/account", fill_path(form, flagged, link), **fields)
        unknown = submit_form(
            stranger, "/desk/account", fill_path(form, UNKNOWN_ID, UNKNOWN_ID), **fields
        )
        assert (foreign.status_code, unknown.status_code) == (404, 404)
        screening = do(store, kept_clinic, screenings.find_screening, flagged)
        assert (screening.state, screening.acknowledgements) == ("final", ())
        assert do(store, kept_clinic, links.find_link, link).state == "new"

    def test_lists_finds_and_exports_nothing_of_another_organisation(
        self, kept_service, store, other_clinic, flagged
    ):
        stranger = open_signed_in_browser(kept_service, add_practitioner_login(store, other_clinic))
        search_text = submit_form(stranger, "/desk", "/desk/find", patient="MRN-0042").text
        exported = submit_form(stranger, "/desk/account", "/desk/export", patient="MRN-0042").text
        for text in (
            stranger.get("/desk").text,
            stranger.get("/desk/links").text,
            search_text,
            exported,
        ):
            assert flagged not in text
            assert "Jo Canary" not in text

    @pytest.mark.parametrize("path", [*PAGES, *SCREENING_PAGES])
    def test_is_not_cached_not_framed_and_has_no_patient_in_its_title(self, desk, flagged, path):
        answer = desk.get(path if path.startswith("/desk") else build_path(flagged, path))
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
        ("scopes", "paths"),
        [
            (["reports:read"], ["/desk", "/desk/links", "/desk/new", "", "/evidence", "/answers"]),
            (["screenings:read"], ["/desk/links", "/desk/new", "/answers", "/note", "/report.pdf"]),
            (["screenings:read", "reports:read"], ["/desk/links/new", "/desk/new", "/answers"]),
        ],
    )
    def test_is_refused_without_its_scope(
        self, kept_service, kept_clinic, store, flagged, scopes, paths
    ):
        client = open_signed_in_browser(
            kept_service, add_practitioner_login(store, kept_clinic, scopes)
        )
        for path in paths:
            answer = client.get(path if path.startswith("/desk") else build_path(flagged, path))
            assert answer.status_code == 403, path
        row = audited(kept_service, kept_clinic)[-1]
        assert (row.action, row.outcome, row.means) == ("refuse", "insufficient_scope", "session")

    def test_is_audited_in_the_name_of_the_practitioner(
        self, kept_service, kept_clinic, desk, grace, flagged
    ):
        desk.get(build_path(flagged))
        rows = [row for row in audited(kept_service, kept_clinic) if row.actor == grace.id]
        assert ("read", "screening", flagged) in [(e.action, e.kind, e.target) for e in rows]


class TestTheList:
    def test_shows_the_tier_first_and_whether_it_was_acknowledged(self, desk, flagged):
        row = re.search(r"<tr.*?</tr>", desk.get("/desk").text.partition("<tbody>")[2], re.DOTALL)[
            0
        ]
        first = row.partition("</td>")[0]
        assert "T0 · Emergency now" in first
        assert "not acknowledged yet" in first
        submit_form(
            desk, build_path(flagged), build_path(flagged, "/acknowledgements"), done="sent on"
        )
        assert "1 red flag, acknowledged" in desk.get("/desk").text

    def test_shows_unsent_answers_with_red_flags(self, store, kept_clinic, desk):
        from api.store.forms import drafts
        from schemas.patients.links import Draft

        link, _ = create_link(store, kept_clinic, reference="MRN-0777")
        do(store, kept_clinic, drafts.save_draft, link, Draft(tier="T1"))
        text = desk.get("/desk").text
        assert text.index("MRN-0777") < text.index("<h1>")
        assert "MRN-0777" not in desk.get("/desk?tier=T0").text

    def test_pins_unacknowledged_red_flags_by_tier_at_any_age(
        self, store, kept_clinic, desk, flagged
    ):
        t1 = add_screening(store, kept_clinic, rf_general=["fever_or_rigors"])
        for n in range(25):
            builders.add(store, kept_clinic, f"MRN-1{n:03}", example="too_little_known")
        text = desk.get("/desk").text
        pinned, _, rest = text.partition("<h1>")
        assert build_path(flagged) not in rest
        assert pinned.index(build_path(flagged)) < pinned.index(build_path(t1))
        submit_form(
            desk, build_path(flagged), build_path(flagged, "/acknowledgements"), done="sent on"
        )
        submit_form(
            desk, build_path(t1), build_path(t1, "/entered-in-error"), reason="another person"
        )
        pinned = desk.get("/desk").text.partition("<h1>")[0]
        assert build_path(flagged) not in pinned
        assert build_path(t1) not in pinned

    def test_names_the_red_flags_of_unsent_answers_and_what_to_do(self, store, kept_clinic, desk):
        from api.store.forms import drafts
        from schemas.patients.links import Draft

        answers = {
            "rf_personal_safety": ["unsafe_at_home"],
            "rf_spine_and_nerves": ["saddle_numbness"],
        }
        link, _ = create_link(store, kept_clinic, reference="MRN-0777")
        do(store, kept_clinic, drafts.save_draft, link, Draft(answers=answers, tier="T0"))
        other_link, _ = create_link(store, kept_clinic, reference="MRN-0778")
        do(store, kept_clinic, drafts.save_draft, other_link, Draft(tier="T1"))
        pinned = desk.get("/desk").text.partition("<h1>")[0]
        assert pinned.index("MRN-0777") < pinned.index("MRN-0778")
        assert "Numbness between the legs" in pinned
        assert "Speak with the person alone today" in pinned
        assert "Taubheit" in desk.get("/desk?language=de").text.partition("<h1>")[0]

    def test_says_no_red_flag_only_if_all_were_asked(self, store, kept_clinic, desk):
        def first_line() -> str:
            return desk.get("/desk").text.partition("<tbody>")[2].partition("</td>")[0]

        builders.add(store, kept_clinic, "MRN-0001", example="too_little_known")
        assert "Red flags not asked" in first_line()
        add_screening(store, kept_clinic, rf_general=[])
        assert "Not all red flags asked" in first_line()
        safety_questions = (
            load_catalogue().find_version("nociplastic@1.0.0").rulebook.rulebook.safety_questions
        )
        add_screening(store, kept_clinic, **{name: [] for name in safety_questions})
        assert "No red flag reported" in first_line()
        page = desk.get("/desk/new?rulebook=phq4").text
        key = re.search(r'name="idempotency_key" value="([^"]+)"', page)[1]
        path = "/desk/new?rulebook=phq4"
        response = submit_form(desk, path, path, reference="MRN-1", q0="n1", idempotency_key=key)
        assert response.status_code == 303
        assert "Red flags not asked" in first_line()

    def test_is_filtered_by_tier_and_instrument_and_paged(self, store, kept_clinic, desk, flagged):
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

    def test_shows_days_and_times_in_the_time_zone_of_its_organisation(self, kept_service, store):
        own = builders.clinic(store, "Clinic on the Atoll")
        do(store, own, letterheads.update_letterhead, {"time_zone": "Pacific/Kiritimati"})
        screening = builders.add(store, own, "MRN-0042", example="red_flag")
        there = screening.created_at.astimezone(ZoneInfo("Pacific/Kiritimati"))
        desk = open_signed_in_browser(kept_service, add_practitioner_login(store, own))
        assert f"{there:%H:%M} +14" in desk.get("/desk").text
        tomorrow = (there + timedelta(days=1)).date()
        for since, is_listed in ((there.date(), True), (tomorrow, False)):
            text = desk.get(f"/desk?since={since}").text
            assert (build_path(screening.id) in text) is is_listed

    def test_finds_a_patient_by_a_form_and_never_by_a_url(self, desk, flagged):
        assert flagged in submit_form(desk, "/desk", "/desk/find", patient=" MRN-0042 ").text
        for part in ("mrn-004", "canary jo", "0042"):
            assert flagged in submit_form(desk, "/desk", "/desk/find", patient=part).text
        assert flagged not in submit_form(desk, "/desk", "/desk/find", patient="MRN-005").text
        assert submit_form(desk, "/desk", "/desk/find", patient="MRN\0").status_code == 422
        assert desk.get("/desk/find?patient=MRN-0042").status_code == 405

    @pytest.mark.parametrize(
        "query", ["cursor=x", "tier=%00", "tier=" + "t" * 61, "since=9999-99-99", "x=1"]
    )
    def test_survives_any_query_string(self, desk, query):
        assert desk.get(f"/desk?{query}").status_code < 500


class TestAScreening:
    def test_shows_red_flags_before_the_result(self, desk, flagged):
        text = desk.get(build_path(flagged)).text
        assert text.index("Numbness between the legs") < text.index("What the answers point to")

    def test_gives_every_reason_with_rationale_and_source(self, store, kept_clinic, desk):
        screening = builders.add(store, kept_clinic, "MRN-0002", example="widespread_pain")
        text = desk.get(build_path(screening.id, "/reasons")).text
        criteria = list(screening.assessment.criteria or ())
        reasons = re.findall(r'<summary><span class="points">.*?</details>', text, re.DOTALL)
        assert len(reasons) == len(criteria)
        for reason in reasons:
            rationale = re.search(r'class="unfolded">\s*<p>(.*?)</p>', reason, re.DOTALL)[1]
            assert len(rationale) > 20
            assert "Sources" in reason

    def test_is_acknowledged_with_practitioner_time_and_action(
        self, store, kept_clinic, desk, grace, flagged
    ):
        before = do(store, kept_clinic, screenings.find_screening, flagged)
        path = build_path(flagged, "/acknowledgements")
        answer = submit_form(
            desk, build_path(flagged), path, done="Sent to\r\nthe emergency department"
        )
        assert answer.headers["location"] == build_path(flagged, "#red-flags")
        after = do(store, kept_clinic, screenings.find_screening, flagged)
        assert after.assessment == before.assessment
        [acknowledgement] = after.acknowledgements
        assert (acknowledgement.by, acknowledgement.practitioner) == (
            grace.id,
            f"ref of {grace.name}",
        )
        assert acknowledgement.done == "Sent to\nthe emergency department"
        text = desk.get(build_path(flagged)).text
        assert "Dr Grace Example" in text
        assert "emergency department" in text

    @pytest.mark.parametrize("text", ["", "   ", "x" * 10_001, "a\u0000b"])
    def test_is_not_acknowledged_by_an_invalid_text(self, store, kept_clinic, desk, flagged, text):
        path = build_path(flagged, "/acknowledgements")
        answer = submit_form(desk, build_path(flagged), path, done=text)
        assert answer.status_code == 422
        assert 'id="done-1-wrong"' in answer.text
        assert do(store, kept_clinic, screenings.find_screening, flagged).acknowledgements == ()

    def test_entered_in_error_is_marked_everywhere(self, desk, flagged):
        submit_form(
            desk,
            build_path(flagged),
            build_path(flagged, "/entered-in-error"),
            reason="another person",
        )
        text = desk.get(build_path(flagged)).text
        assert "another person" in text
        assert f'{build_path(flagged, "/answers")}"' not in text
        assert "entered in error" in desk.get("/desk").text
        assert "another person" in desk.get(build_path(flagged, "/report.txt")).text

    @pytest.mark.parametrize(
        ("suffix", "starts"),
        [("pdf", b"%PDF"), ("html", b"<!DOCTYPE html"), ("rtf", b"{\\rtf"), ("xml", b"<?xml")],
    )
    def test_is_downloaded_in_each_format_and_recorded_as_issued(
        self, kept_service, kept_clinic, desk, flagged, suffix, starts
    ):
        answer = desk.get(build_path(flagged, f"/report.{suffix}"))
        assert answer.content[:40].lower().startswith(starts.lower())
        name = rf'"nociscreen-report-\d{{4}}-\d\d-\d\d-{flagged[:8]}\.{suffix}"'
        assert re.search(name, answer.headers["content-disposition"])
        assert audited(kept_service, kept_clinic)[-1].action == "report"

    def test_offers_the_patient_sheet_in_each_language_independent_of_the_desk(self, desk, flagged):
        text = desk.get(build_path(flagged)).text
        sheets = [f"/report.pdf?document=patient&amp;locale={code}" for code in ("en", "de", "es")]
        assert all(f'href="{build_path(flagged, path)}"' in text for path in sheets)
        sheet = build_path(flagged, "/report.html?document=patient&locale=")
        for locale, language in (
            ("en", "en"),
            ("de", "de"),
            ("es", "es"),
            ("", "en"),
            ("xx", "en"),
        ):
            response = desk.get(sheet + locale)
            assert f'lang="{language}"' in response.text[:200]
            disposition = response.headers["content-disposition"]
            name = rf'"nociscreen-patient-sheet-\d{{4}}-\d\d-\d\d-{flagged[:8]}\.html"'
            assert re.search(name, disposition)
            assert flagged not in response.text

    def test_is_printed_under_the_letterhead_of_its_organisation(self, kept_service, store):
        own = builders.clinic(store, "Clinic on the Hill", test=True)
        do(store, own, letterheads.update_letterhead, {"address": ("1 Hill Road",)})
        screening = builders.add(store, own, "MRN-0042").id
        text = (
            open_signed_in_browser(kept_service, add_practitioner_login(store, own))
            .get(build_path(screening, "/report.txt"))
            .text
        )
        assert text.startswith("Clinic on the Hill\n1 Hill Road\n")

    def test_has_no_unknown_format(self, desk, flagged):
        assert desk.get(build_path(flagged, "/report.exe")).status_code == 404

    def test_offers_the_note_to_copy_and_as_a_file(self, desk, flagged):
        page = desk.get(build_path(flagged, "/note"))
        file = desk.get(build_path(flagged, "/note?file=true"))
        assert file.headers["content-type"].startswith("text/plain")
        assert "RED FLAGS" in file.text
        assert "RED FLAGS" in page.text

    def test_stays_in_the_selected_language(self, desk, flagged):
        assert 'lang="de"' in desk.get("/desk?language=de").text
        text = desk.get(build_path(flagged)).text
        assert "Warnzeichen" in text
        assert "Taubheit" in text


class TestTheEvidenceSheet:
    def test_is_compared_only_with_earlier_ones_of_the_same_patient(self, store, kept_clinic, desk):
        earlier = builders.add(store, kept_clinic, "MRN-0003", system="urn:a")
        builders.add(store, kept_clinic, "MRN-0003", system="urn:b")
        two = builders.add(store, kept_clinic, "MRN-0003", system="urn:a")
        text = desk.get(build_path(two.id, "/evidence")).text
        assert text.count('<td class="state') == 13 * 2
        assert desk.get(build_path(earlier.id, "/evidence")).text.count('<td class="state') == 13

    def test_is_empty_if_the_result_is_withheld(self, desk, flagged):
        assert "no evidence sheet" in desk.get(build_path(flagged, "/evidence")).text


class TestAnswers:
    def test_create_one_screening_even_if_submitted_twice(self, store, kept_clinic, desk, grace):
        page = desk.get("/desk/new?rulebook=phq4")
        key = re.search(r'name="idempotency_key" value="([^"]+)"', page.text)[1]
        fields = {f"q{n}": "n1" for n in range(4)} | {
            "reference": "MRN-0800",
            "note": "by hand",
            "idempotency_key": key,
            "token": read_csrf_token(page.text),
        }
        first, second = (desk.post("/desk/new?rulebook=phq4", data=fields) for _ in range(2))
        assert first.status_code == 303
        assert first.headers["location"] == second.headers["location"]
        screening = do(
            store, kept_clinic, screenings.find_screening, first.headers["location"][-36:]
        )
        assert (screening.origin.means, screening.origin.actor) == ("form", grace.id)
        assert screening.context.clinician.reference == f"ref of {grace.name}"
        assert screening.context.note == "by hand"
        assert set(screening.answers.values()) == {1}

    @pytest.mark.parametrize(
        ("changes", "faulty"),
        [({"reference": ""}, "reference"), ({"note": "x" * 10_001}, "note"),
         ({"q0": "n9"}, "q0"), ({"name": "x" * 201}, "name")],
        ids=str,
    )  # fmt: skip
    def test_stay_on_the_page_with_their_faults(self, desk, changes, faulty):
        path = "/desk/new?rulebook=phq4"
        answer = submit_form(desk, path, path, **{"reference": "MRN-1", "q1": "n2"} | changes)
        assert answer.status_code == 422
        assert f'id="{faulty}-wrong"' in answer.text
        assert re.search(r'id="q1-2" value="n2" checked', answer.text)

    def test_amend_a_screening_by_a_new_linked_one(self, store, kept_clinic, desk, grace, flagged):
        original = do(store, kept_clinic, screenings.find_screening, flagged)
        path = build_path(flagged, "/answers")
        page = desk.get(path).text
        values_by_name = {name: [] for name in re.findall(r'name="(q\d+)"', page)}
        for name, value in re.findall(
            r'<input type="(?:radio|checkbox)" name="(q\d+)" id="[^"]+" value="([^"]+)" checked',
            page,
        ):
            values_by_name[name].append(value)
        for name, value in re.findall(r'name="(q\d+)" id="q\d+" value="([0-9.]+)"', page):
            values_by_name[name].append(value)
        for name, value in re.findall(r'type="hidden" name="(q\d+)" value="([^"]+)"', page):
            values_by_name.setdefault(name, []).append(value)
        fields = {name: values for name, values in values_by_name.items() if values}
        same = desk.post(
            path, data=fields | {"token": read_csrf_token(page), "note": "looked at again"}
        )
        assert same.status_code == 303, same.text
        amended = do(store, kept_clinic, screenings.find_screening, same.headers["location"][-36:])
        assert collect_answers(amended) == collect_answers(original)
        assert amended.replaces == flagged
        assert amended.patient == original.patient
        assert amended.context.note == "looked at again"
        assert amended.context.clinician.reference == f"ref of {grace.name}"
        assert do(store, kept_clinic, screenings.find_screening, flagged).state == "amended"
        assert desk.post(path, data=fields | {"token": read_csrf_token(page)}).status_code == 409

    def test_of_an_unknown_instrument_are_not_found(self, desk):
        assert desk.get("/desk/new?rulebook=nothing").status_code == 404


class TestLinks:
    def test_are_created_with_a_qr_code_and_shown_once(self, desk):
        fields = {"reference": "MRN-0900", "rulebook": "phq4", "kind": "once", "days": "3"}
        response = submit_form(desk, "/desk/links/new", "/desk/links/new", **fields)
        address = re.search(r'id="url" readonly value="([^"]+)"', response.text)[1]
        assert "<svg" in response.text
        list_text = desk.get("/desk/links").text
        assert "MRN-0900" in list_text
        assert address.rpartition("/")[2] not in list_text
        path = address.removeprefix("http://127.0.0.1:8000")
        assert desk.get(path).status_code == 200

    def test_offer_the_long_instrument_first_and_the_languages_of_the_practice(
        self, store, kept_clinic, desk
    ):
        settings = FormSettings(languages=("de",))
        do(store, kept_clinic, form_settings.update_form_settings, settings)
        page = desk.get("/desk/links/new").text
        assert re.findall(r'<option value="(\w+)"', page) == ["nociplastic", "phq4", "de"]

    def test_are_revoked(self, store, kept_clinic, desk):
        link, secret = create_link(store, kept_clinic)
        submit_form(desk, "/desk/links", f"/desk/links/{link}/revoke")
        assert do(store, kept_clinic, links.find_link, link).state == "revoked"
        assert desk.get(f"/intake/{secret}").status_code == 404

    def test_get_a_new_address_until_they_are_opened(self, store, kept_clinic, desk):
        link, secret = create_link(store, kept_clinic)
        path = f"/desk/links/{link}/addresses"
        page = submit_form(desk, "/desk/links", path).text
        new_secret = re.search(r"/intake/([\w-]+)", page)[1]
        assert open_links.find_open_link(store, secret) is None
        assert open_links.find_open_link(store, new_secret).id == link
        do(store, kept_clinic, open_links.bind_holder, link, "browser")
        assert submit_form(desk, "/desk/links", path).status_code == 409

    @pytest.mark.parametrize(
        ("changes", "faulty"),
        [({"reference": " "}, "reference"), ({"days": "0"}, "days"), ({"days": "x"}, "days"),
         ({"name": "a\u0001"}, "name")],
        ids=str,
    )  # fmt: skip
    def test_are_not_created_from_invalid_fields(self, desk, changes, faulty):
        fields = {"reference": "MRN-0901", "rulebook": "phq4", "days": "3"} | changes
        answer = submit_form(desk, "/desk/links/new", "/desk/links/new", **fields)
        assert answer.status_code == 422
        assert f'id="{faulty}-wrong"' in answer.text


class TestFormSettingsPage:
    @pytest.fixture
    def administrator(self, kept_service, kept_clinic, store):
        """A browser in which an administrator is signed in."""
        return open_signed_in_browser(
            kept_service,
            add_practitioner_login(store, kept_clinic, ["screenings:write", "organisation:admin"]),
        )

    def test_is_open_to_administrators_only(self, desk):
        assert desk.get("/desk/forms").status_code == 403
        assert "/desk/forms" not in desk.get("/desk").text

    def test_changes_the_settings_shown_and_keeps_the_others(
        self, store, kept_clinic, administrator
    ):
        before = FormSettings(consent={"fr": "Oui."}, emergency_numbers=NUMBERS)
        do(store, kept_clinic, form_settings.update_form_settings, before)
        fields = {
            "consent_en": "We\r\nagree.", "privacy_de": "Unser.", "ask_again_days": "30",
            "adversity": "no", "reminder_days": "5", "initial_in_mail": "yes",
        }  # fmt: skip
        assert submit_form(administrator, "/desk/forms", "/desk/forms", **fields).status_code == 303
        assert do(store, kept_clinic, form_settings.load_form_settings) == FormSettings(
            consent={"fr": "Oui.", "en": "We\nagree."},
            privacy={"de": "Unser."},
            emergency_numbers=NUMBERS,
            adversity_questions=False,
            ask_again_days=30,
            reminder_days=5,
            initial_in_mail=True,
        )

    @pytest.mark.parametrize(
        ("changes", "faulty"),
        [({"ask_again_days": "0"}, "ask_again_days"), ({"ask_again_days": "²"}, "ask_again_days"),
         ({"reminder_days": ""}, "reminder_days"), ({"reminder_days": "61"}, "reminder_days"),
         ({"consent_es": "a\u0001"}, "consent_es"), ({"privacy_en": "x" * 10_001}, "privacy_en")],
        ids=str,
    )  # fmt: skip
    def test_shows_faults_and_changes_nothing(
        self, store, kept_clinic, administrator, changes, faulty
    ):
        days = {"ask_again_days": "30", "reminder_days": "3"}
        fields = days | {"consent_de": "Kept on the page"} | changes
        answer = submit_form(administrator, "/desk/forms", "/desk/forms", **fields)
        assert answer.status_code == 422
        assert f'id="{faulty}-wrong"' in answer.text
        assert f'<a href="#{faulty}">' in answer.text
        assert "Kept on the page" in answer.text
        assert do(store, kept_clinic, form_settings.load_form_settings) == FormSettings()

    def test_without_numbers_a_warning_is_shown_before_a_link_is_created(
        self, store, kept_clinic, desk, administrator
    ):
        text = administrator.get("/desk/links/new").text
        assert "No number to call is set" in text
        assert 'href="/desk/practice/numbers">Set the numbers' in text
        assert "Ask your administrator" in desk.get("/desk/links/new").text
        do(
            store,
            kept_clinic,
            form_settings.update_form_settings,
            FormSettings(emergency_numbers=NUMBERS[:1]),
        )
        assert "No crisis line is set" in administrator.get("/desk/links/new").text
        do(
            store,
            kept_clinic,
            form_settings.update_form_settings,
            FormSettings(emergency_numbers=NUMBERS),
        )
        assert 'id="unset"' not in administrator.get("/desk/links/new").text


class TestTheExport:
    def test_contains_all_filtered_screenings_of_all_pages(self, store, kept_clinic, desk):
        for n in range(3):
            builders.add(store, kept_clinic, f"MRN-2{n:03}", example="red_flag")
        builders.add(store, kept_clinic, "MRN-0002", example="too_little_known")
        answer = submit_form(desk, "/desk", "/desk/export", tier="T0")
        rows = list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))
        assert {row["tier"] for row in rows} == {"T0"}
        assert len(rows) == 3

    @pytest.mark.usefixtures("flagged")
    def test_contains_how_many_red_flags_were_not_asked(self, store, kept_clinic, desk):
        add_screening(store, kept_clinic, rf_general=[])
        answer = submit_form(desk, "/desk", "/desk/export")
        rows = list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))
        coverage = [(row["tier"], row["all_asked"], row["not_asked"]) for row in rows]
        assert coverage == [("none", "no", "5"), ("T0", "yes", "0")]

    @pytest.mark.usefixtures("flagged")
    def test_is_audited_with_the_number_of_screenings(self, kept_service, kept_clinic, desk):
        submit_form(desk, "/desk", "/desk/export")
        row = audited(kept_service, kept_clinic)[-1]
        assert (row.action, row.kind, row.count) == ("export", "screening", 1)

    def test_escapes_a_patient_number_that_is_a_formula(self, store, kept_clinic, desk):
        builders.add(store, kept_clinic, '=HYPERLINK("http://evil.example")', example="red_flag")
        answer = submit_form(desk, "/desk", "/desk/export")
        rows = list(csv.reader(io.StringIO(answer.content.decode("utf-8-sig"))))
        assert not any(cell.startswith(("=", "+", "@")) for row in rows for cell in row)
