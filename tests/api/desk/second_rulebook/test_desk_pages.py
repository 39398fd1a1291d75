"""The desk with nociplastic 2.0.0: what it shows of an assessment, and the clinician's form."""

import json
import re
from html import unescape

import pytest
from support import builders
from support.first_release import FIRST, FLAGGED_ANSWERS, OTHER_ANSWERS
from support.path_resources import create_resource
from support.second_release import CONFIDENTIAL, EXPLAINED, SCORED, SECOND, UNSETTLED, WITHHELD

from scoring.engine import assess

HERE = "/v1/screenings"


def keep(client, answers, **fields) -> dict:
    body = {"rulebook": SECOND.name, "patient": {"reference": "MRN-1"}} | fields
    return create_resource(
        client, HERE, body | {"answers": json.loads(json.dumps(answers, default=float))}
    )


def keep_case(client, case) -> dict:
    return keep(client, case.answers, clinician={"reference": "dr"})


def read(desk, screening: dict, rest: str = "", language: str = "en") -> str:
    desk.cookies.set("language", language)
    joint = "&" if "?" in rest else "?"
    response = desk.get(f"/desk/screenings/{screening['id']}{rest}{joint}language={language}")
    assert response.status_code == 200, response.text
    return unescape(response.text)


def labels(text: str, heading: str) -> list[str]:
    """The third-level headings of the section with this id."""
    section = text.partition(f'id="{heading}"')[2].partition("</section>")[0]
    return re.findall(r"<h3>(.+?)</h3>", section)


class TestAScreening:
    def test_shows_the_band_and_the_bands_that_it_could_become(self, client, desk):
        text = read(desk, keep_case(client, EXPLAINED))
        assert "As answered so far: Points away; could become Points away to Some features." in text

    def test_says_why_there_is_no_band_and_what_to_ask_first(self, client, desk):
        screening = keep_case(client, UNSETTLED)
        text = read(desk, screening)
        assert "Between " in text
        assert screening["assessment"]["why_no_band"][0]["text"] in text
        section = text.partition('id="ask-first"')[2].partition("</section>")[0]
        questions = SECOND.rulebook.questions_by_id
        expected = [questions[name].text for name in screening["assessment"]["ask_first"]]
        assert re.findall(r"<legend>(.+?)</legend>", section)[:3] == expected
        assert len(expected) == 3

    def test_lists_other_explanations_with_what_would_settle_them(self, client, desk):
        screening = keep_case(client, UNSETTLED)
        text = read(desk, screening)
        alternatives = screening["assessment"]["alternatives"]
        assert labels(text, "alternatives") == [it["label"] for it in alternatives]
        assert [it["label"] for it in alternatives if it["settle"] not in text] == []

    def test_shows_contradictions_after_the_other_explanations(self, client, desk):
        answers = dict(SCORED.answers) | {"pain_extent": "spot"}
        text = read(desk, keep(client, answers))
        words = "yet the pain was called one small spot"
        assert text.index('id="alternatives"') < text.index(words) < text.index('id="everything"')

    def test_shows_an_assessed_flag_as_assessed_at_the_last_tier(self, client, desk):
        answers = dict(UNSETTLED.answers) | {"already_assessed": ["polymyalgia"]}
        screening = keep(client, answers, clinician={"reference": "dr"})
        flags = screening["assessment"]["safety"]["flags"]
        assert [(flag["id"], flag["tier"], flag["assessed"]) for flag in flags] == [
            ("possible_polymyalgia", "T3", True),
            ("neurological_deficit", "T3", False),
        ]
        text = read(desk, screening)
        assert labels(text, "red-flags")[: len(flags)] == [flag["label"] for flag in flags]
        assert text.count(">assessed</span>") == 1

    def test_shows_the_flags_by_tier_first(self, client, desk):
        screening = keep_case(client, WITHHELD)
        flags = screening["assessment"]["safety"]["flags"]
        text = read(desk, screening)
        assert labels(text, "red-flags")[: len(flags)] == [flag["label"] for flag in flags]
        section = text.partition('id="red-flags"')[2].partition("</section>")[0]
        tiers = re.findall(r'class="tier (t\d)"', section)
        assert tiers == [flag["tier"].lower() for flag in flags] == sorted(tiers)

    def test_shows_the_cautions_of_a_step(self, client, desk):
        screening = keep_case(client, EXPLAINED)
        cautions = [it for step in screening["assessment"]["next_steps"] for it in step["cautions"]]
        text = read(desk, screening, "/reasons")
        assert len(cautions) == 1
        assert cautions[0] in text

    def test_says_that_it_is_confidential(self, client, desk):
        assert "Confidential: this screening" in read(desk, keep_case(client, CONFIDENTIAL))
        assert "Confidential: this screening" not in read(desk, keep_case(client, EXPLAINED))

    def test_that_is_confidential_offers_its_report_in_the_shareable_edition(self, client, desk):
        screening = keep_case(client, CONFIDENTIAL)
        text = read(desk, screening)
        section = text.partition('<h3 id="shareable">Shareable edition</h3>')[2]
        links = re.findall(r'href="([^"]+/report\.[^"]+)"', section)
        suffixes = ["pdf", "pdf", "pdf", "pdf", "html", "rtf", "txt", "xml"]
        assert [link.partition("?")[0].rpartition(".")[2] for link in links] == suffixes
        assert [link for link in links if not link.endswith("edition=shareable")] == []
        full, shared = (
            desk.get(f"/desk/screenings/{screening['id']}/report.txt{query}").text
            for query in ("", "?edition=shareable")
        )
        assert links[6].endswith("/report.txt?edition=shareable")
        labels_about_person = [
            flag["label"]
            for flag in screening["assessment"]["safety"]["flags"]
            if flag.get("about_person")
        ]
        assert labels_about_person
        assert [label for label in labels_about_person if label not in full] == []
        assert [label for label in labels_about_person if label in shared] == []

    def test_that_is_not_confidential_has_one_edition(self, client, desk):
        text = read(desk, keep_case(client, EXPLAINED))
        assert "/report.txt" in text
        assert "edition=" not in text

    def test_of_the_first_version_with_a_flag_about_the_person_offers_the_shareable_edition(
        self, client, desk
    ):
        body = {"rulebook": FIRST.name, "patient": {"reference": "MRN-1"}}
        flagged, other = (
            read(desk, create_resource(client, HERE, body | {"answers": answers}))
            for answers in (FLAGGED_ANSWERS, OTHER_ANSWERS)
        )
        assert "/report.txt?edition=shareable" in flagged
        assert "edition=" not in other

    @pytest.mark.parametrize(
        ("language", "heading"),
        [
            ("en", "Shareable edition"),
            ("de", "Ausgabe zum Weitergeben"),
            ("es", "Edición para compartir"),
        ],
    )
    def test_names_the_shareable_edition_in_each_language(self, client, desk, language, heading):
        screening = keep_case(client, CONFIDENTIAL)
        assert f">{heading}</h3>" in read(desk, screening, language=language)

    @pytest.mark.parametrize(
        ("language", "heading"),
        [("de", "Andere Erklärungen"), ("es", "Otras explicaciones")],
    )
    def test_is_shown_in_german_and_spanish(self, client, desk, language, heading):
        assert heading in read(desk, keep_case(client, UNSETTLED), language=language)

    def test_flags_of_the_first_version_stand_by_tier_too(self, client, desk):
        answers = {
            "rf_general": ["unexplained_weight_loss"],
            "rf_spine_and_nerves": ["saddle_numbness"],
            "rf_personal_safety": ["unsafe_at_home"],
        }
        body = {"rulebook": "nociplastic@1.0.0", "patient": {"reference": "MRN-1"}}
        screening = create_resource(client, HERE, body | {"answers": answers})
        section = read(desk, screening).partition('id="red-flags"')[2].partition("</section>")[0]
        tiers = re.findall(r'class="tier (t\d)"', section)
        assert (len(tiers), tiers) == (3, sorted(tiers))

    def test_leads_from_the_original_to_the_rescored_one_and_back(self, client, desk):
        original = create_resource(
            client, HERE, builders.request("MRN-1") | {"rulebook": "nociplastic@1.0.0"}
        )
        rescored = create_resource(client, original["links"]["rescore"], {"to": SECOND.name})
        assert f'/desk/screenings/{rescored["id"]}"' in read(desk, original)
        assert f'/desk/screenings/{original["id"]}"' in read(desk, rescored)
        assert desk.get("/desk").text.count(">rescored</span>") == 1


class TestTheForm:
    def field(self, name: str) -> str:
        position = [question.id for question in SECOND.rulebook.question].index(name)
        return f'name="q{position}"'

    def test_never_fills_in_what_was_already_assessed(self, client, desk):
        answers = dict(UNSETTLED.answers) | {"already_assessed": ["polymyalgia"]}
        text = read(desk, keep(client, answers), "/answers?topic=clinician")
        controls = re.findall(rf"<input [^>]*{self.field('already_assessed')}[^>]*>", text)
        assert len(controls) > 20
        assert [control for control in controls if "checked" in control] == []

    def test_hides_what_does_not_apply_and_keeps_what_was_answered(self, client, desk):
        answers = {"age_years": 70, "pain_sites": ["neck"], "cyclical_pain": True}
        text = read(desk, keep(client, answers), "/answers")
        names = ("pregnant", "cyclical_pain", "fatigue")
        assert [self.field(name) in text for name in names] == [False, True, True]

    def test_puts_the_other_questions_behind_more_questions(self, desk):
        text = unescape(desk.get("/desk/new?rulebook=nociplastic").text)
        assert text.count('<details class="more-questions"') > 3
        assert "More questions (" in text

    def test_of_the_first_version_stays_the_form_of_the_first_version(self, client, desk):
        body = builders.request("MRN-1") | {"rulebook": "nociplastic@1.0.0"}
        text = read(desk, create_resource(client, HERE, body), "/answers")
        assert "more-questions" not in text


def test_the_scored_case_of_the_page_is_the_assessment_of_its_answers(client):
    assessment = keep_case(client, SCORED)["assessment"]
    expected = assess(SECOND, SCORED.answers, attested=True)
    assert assessment == json.loads(expected.model_dump_json(by_alias=True))
