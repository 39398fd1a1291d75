"""Screenings scored again under another version over HTTP, with both versions active."""

import json
from datetime import datetime

import pytest
from support import builders
from support.builders import request
from support.callers import audited, calling, last_act
from support.path_resources import create_resource
from support.two_versions import FIRST, SECOND, load_two_versions

from api.contract.operation_examples import load_operation_examples
from api.main import create_app
from api.store.operations import housekeeping
from api.store.screenings import latest_screening
from schemas.patients.patient import PatientNumber
from scoring.versions.rescoring import rescore_intake

HERE = "/v1/screenings"
OLD, NEW = (load_two_versions().find_version(name) for name in (FIRST, SECOND))
TO_SECOND = {"to": SECOND}
EXAMPLES = ("rescore_screening", "rescore")


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def service(request, tmp_path_factory):
    settings = builders.build_fixture_settings(request, tmp_path_factory.mktemp("rescore"))
    app = create_app(settings, load_two_versions())
    yield app
    app.services.denied_requests.flush()
    app.services.renderer.close()
    app.services.store.close()


@pytest.fixture
def clinic(service):
    return builders.clinic(service.services.store)


@pytest.fixture
def client(service, clinic):
    return calling(service, clinic)


def first_intake(reference="MRN-0042", **fields) -> dict:
    """An intake of the first version without a red flag."""
    body = request(reference) | {"rulebook": FIRST} | fields
    body["answers"] = body["answers"] | {"rf_general": []}
    return body


def keep(client, reference="MRN-0042", **fields) -> dict:
    return create_resource(client, HERE, first_intake(reference, **fields))


def rescore(client, screening: dict, name: str = SECOND, **headers) -> dict:
    return create_resource(client, screening["links"]["rescore"], {"to": name}, **headers)


def read(client, screening_id: str) -> dict:
    response = client.get(f"{HERE}/{screening_id}")
    assert response.status_code == 200, response.text
    return response.json()


def refuse(client, screening: dict, name: str = SECOND) -> tuple[int, str]:
    response = client.post(screening["links"]["rescore"], json={"to": name})
    body = response.json()
    detail = body["errors"][0]["detail"] if "errors" in body else body["detail"]
    return response.status_code, detail


class TestRescoringAScreening:
    def test_stores_a_linked_screening_and_leaves_the_first_as_it_is(self, client):
        original = keep(client)
        before = read(client, original["id"])
        rescored = rescore(client, original)
        assert rescored["assessment"]["rulebook"] == SECOND
        assert (rescored["rescored_from"], rescored["replaces"]) == (original["id"], None)
        after = read(client, original["id"])
        assert after == before | {"rescored_as": [rescored["id"]]}
        detail = read(client, rescored["id"])
        assert (detail["rescored_from"], detail["rescored_as"]) == (original["id"], [])
        assert (detail["state"], detail["origin"]["means"]) == ("final", "rescoring")
        assert detail["links"]["rescored_from"] == original["links"]["self"]

    def test_the_assessment_is_that_of_the_carried_answers(self, client):
        body = first_intake()
        original = create_resource(client, HERE, body)
        rescored = rescore(client, original)
        expected = rescore_intake(OLD, NEW, body["answers"], attested=True).assessment
        assert rescored["assessment"] == json.loads(expected.model_dump_json(by_alias=True))
        assert read(client, rescored["id"])["answers"] == rescored["carried_intake"]["answers"]

    def test_it_lists_what_was_carried_and_what_to_ask_again(self, client):
        intake = rescore(client, keep(client))["carried_intake"]
        assert intake["answers"]["sensory_loss"] is False
        assert {"question": "cancer_ever", "because_of": ["rf_general"]} not in intake["ask_again"]
        sources = {it["question"]: it["because_of"] for it in intake["ask_again"]}
        assert sources["wakes_at_night"] == sources["sleep_unrefreshing"] == ["sleep_broken"]
        assert "cancer_ever" in sources
        assert "diabetes" in intake["options_not_asked"]["diagnoses"]

    def test_it_tells_what_differs(self, client):
        differences = rescore(client, keep(client))["differences"]
        assert differences["status"] == {"before": "scored", "after": "insufficient_information"}
        assert differences["band"] == {"before": "strong", "after": None}
        assert (differences["changes_result"], differences["new_flags"]) == (True, [])
        assert differences["criteria"] == ["A1", "B1", "B3", "B7", "C5"]

    def test_the_day_the_clinician_and_the_note_stay(self, client):
        context_fields = {
            "answered_on": "2026-01-02",
            "note": "n",
            "clinician": {"reference": "dr"},
        }
        rescored = rescore(client, keep(client, **context_fields))
        context = read(client, rescored["id"])["context"]
        assert {name: context[name] for name in context_fields} == context_fields | {
            "clinician": context["clinician"]
        }
        assert context["clinician"]["reference"] == "dr"

    def test_without_a_day_it_is_the_day_on_which_the_first_was_stored(self, client):
        body = first_intake()
        body.pop("answered_on", None)
        original = create_resource(client, HERE, body)
        context = read(client, rescore(client, original)["id"])["context"]
        assert context["answered_on"] == original["created_at"][:10]

    def test_the_newest_version_is_meant_where_an_instrument_is_named(self, client):
        assert rescore(client, keep(client), "nociplastic")["assessment"]["rulebook"] == SECOND

    def test_it_is_audited(self, service, clinic, client):
        rescored = rescore(client, keep(client))
        entry = audited(service, clinic)[-1]
        assert (entry.action, entry.kind, entry.target) == ("rescore", "screening", rescored["id"])

    def test_a_repeated_request_stores_once(self, client):
        original = keep(client)
        first = rescore(client, original, **{"Idempotency-Key": "k"})
        assert rescore(client, original, **{"Idempotency-Key": "k"}) == first
        assert read(client, original["id"])["rescored_as"] == [first["id"]]

    def test_its_report_can_be_read(self, client):
        rescored = rescore(client, keep(client))
        response = client.get(f"{rescored['links']['self']}/report.txt")
        assert (response.status_code, SECOND in response.text) == (200, True)

    def test_a_list_tells_a_rescored_screening_from_a_new_one(self, client):
        original = keep(client)
        rescored = rescore(client, original)
        lines = client.get(HERE).json()["screenings"]
        assert [(line["id"], line["rescored_from"]) for line in lines] == [
            (rescored["id"], original["id"]),
            (original["id"], None),
        ]


class TestTheExamples:
    """Both operations need two active versions, so that the contract's own tests leave them out."""

    def test_the_answers_have_the_members_of_the_examples(self, client):
        examples = {name: load_operation_examples()[name] for name in EXAMPLES}
        answers = {
            "rescore_screening": rescore(client, keep(client)),
            "rescore": client.post("/v1/rescore", json=first_intake() | TO_SECOND).json(),
        }
        for name, example in examples.items():
            members = [set(it) for it in (answers[name], example["answer"])]
            assert members[0] == members[1]
            for part in ("carried_intake", "differences"):
                assert set(answers[name][part]) == set(example["answer"][part])
            assert set(example["request"]) >= {"to"}


class TestWhatCannotBeRescored:
    @pytest.mark.parametrize("name", [FIRST, "phq4", "phq4@1.0.0", "nociplastic@9.0.0"])
    def test_is_refused_under_a_version_that_answers_are_not_carried_to(
        self, service, clinic, client, name
    ):
        assert refuse(client, keep(client), name) == (422, f"must be one of {SECOND}")
        assert last_act(service, clinic)[:2] == ("refuse", "invalid_request")

    def test_a_screening_of_an_instrument_with_one_version_says_so(self, client):
        screening = create_resource(client, HERE, request(example="phq4"))
        assert refuse(client, screening) == (
            422,
            "answers to phq4@1.0.0 cannot be carried to any active version",
        )

    def test_twice_under_the_same_version(self, client):
        original = keep(client)
        rescore(client, original)
        status, detail = refuse(client, original)
        assert (status, detail) == (
            409,
            "The screening has already been rescored under this version.",
        )

    def test_but_again_where_the_first_was_entered_in_error(self, client):
        original = keep(client)
        wrong = rescore(client, original)
        create_resource(client, wrong["links"]["entered_in_error"], {"reason": "by mistake"})
        again = rescore(client, original)
        assert set(read(client, original["id"])["rescored_as"]) == {wrong["id"], again["id"]}

    def test_a_rescored_one(self, client):
        status, detail = refuse(client, rescore(client, keep(client)), FIRST)
        assert (status, detail) == (
            409,
            "The screening was itself rescored. Rescore the original.",
        )

    def test_an_amended_one_and_one_in_error(self, client):
        amended, wrong = keep(client), keep(client)
        create_resource(client, amended["links"]["amendments"], first_intake())
        create_resource(client, wrong["links"]["entered_in_error"], {"reason": "wrong"})
        assert refuse(client, amended)[1] == (
            "The screening has been amended. Rescore its replacement."
        )
        assert refuse(client, wrong)[1] == "A screening entered in error cannot be rescored."


class TestLaterEventsOfTheOriginal:
    def test_an_error_of_the_original_is_one_of_the_rescored(self, client):
        original = keep(client)
        rescored = rescore(client, original)
        create_resource(client, original["links"]["entered_in_error"], {"reason": "wrong"})
        detail = read(client, rescored["id"])
        assert (detail["state"], detail["entered_in_error"]["reason"]) == (
            "entered_in_error",
            "wrong",
        )
        assert {line["state"] for line in client.get(HERE).json()["screenings"]} == {
            "entered_in_error"
        }

    def test_an_amendment_of_the_original_outdates_the_rescored(self, client):
        original = keep(client)
        rescored = rescore(client, original)
        amended = create_resource(client, original["links"]["amendments"], first_intake())
        detail = read(client, rescored["id"])
        assert (detail["state"], detail["replaced_by"]) == ("amended", None)
        states = {line["id"]: line["state"] for line in client.get(HERE).json()["screenings"]}
        assert states == {
            original["id"]: "amended",
            rescored["id"]: "amended",
            amended["id"]: "final",
        }

    def test_an_error_of_the_rescored_leaves_the_original_in_force(self, client):
        original = keep(client)
        rescored = rescore(client, original)
        create_resource(client, rescored["links"]["entered_in_error"], {"reason": "not wanted"})
        assert read(client, original["id"])["state"] == "final"

    def test_a_rescored_screening_can_be_amended(self, client):
        rescored = rescore(client, keep(client))
        answers = rescored["carried_intake"]["answers"] | {"cancer_ever": False}
        body = {"rulebook": SECOND, "answers": answers}
        amended = create_resource(client, rescored["links"]["amendments"], body)
        assert amended["replaces"] == rescored["id"]
        assert amended["assessment"]["why_no_band"] != rescored["assessment"]["why_no_band"]

    def test_erasing_the_patient_erases_both(self, client):
        rescored = rescore(client, keep(client))
        erased = client.request("delete", "/v1/patients", json={"reference": "MRN-0042"})
        assert erased.json()["screenings"] == 2
        assert client.get(rescored["links"]["self"]).status_code == 404

    def test_rescoring_does_not_prolong_retention(self, service, clinic, client, monkeypatch):
        original = keep(client)
        rescored = rescore(client, original)
        store = service.services.store
        middle = read(client, rescored["id"])["created_at"]
        monkeypatch.setattr(housekeeping, "_years_ago", lambda _: datetime.fromisoformat(middle))
        counts = housekeeping.erase_due_screenings(store, clinic.organisation, 1)
        assert counts.screenings == 2


class TestRescoringAnIntake:
    def test_returns_the_assessment_the_answers_and_the_differences(self, client):
        intake = first_intake()
        del intake["patient"]
        response = client.post("/v1/rescore", json=intake | TO_SECOND)
        assert response.status_code == 200, response.text
        body = response.json()
        expected = rescore_intake(OLD, NEW, intake["answers"], attested="clinician" in intake)
        assert body["assessment"] == json.loads(expected.assessment.model_dump_json(by_alias=True))
        screening = rescore(client, keep(client))
        assert (body["carried_intake"], body["differences"]) == (
            screening["carried_intake"],
            screening["differences"],
        )

    def test_stores_nothing(self, client):
        response = client.post("/v1/rescore", json=first_intake() | TO_SECOND)
        assert response.status_code == 200
        assert client.get(HERE).json()["screenings"] == []

    def test_refuses_what_the_version_of_the_intake_does_not_ask(self, client):
        intake = first_intake()
        intake["answers"] = {"load_provokes": True}
        response = client.post("/v1/rescore", json=intake | TO_SECOND)
        pointers = [error["pointer"] for error in response.json()["errors"]]
        assert (response.status_code, pointers) == (422, ["/answers"])

    def test_refuses_a_version_that_answers_are_not_carried_to(self, client):
        body = first_intake() | {"to": FIRST}
        response = client.post("/v1/rescore", json=body)
        assert (response.status_code, response.json()["errors"]) == (
            422,
            [
                {
                    "pointer": "/to",
                    "code": "not_an_option",
                    "detail": f"must be one of {SECOND}",
                }
            ],
        )


def test_answers_of_a_retired_version_are_rescored_all_the_same(tmp_path):
    app = create_app(builders.copy_empty_store(tmp_path), load_two_versions("retired", "active"))
    client = calling(app, builders.clinic(app.services.store))
    response = client.post("/v1/rescore", json=first_intake() | TO_SECOND)
    assert (response.status_code, response.json()["assessment"]["rulebook"]) == (200, SECOND)
    app.services.renderer.close()
    app.services.store.close()


def test_a_draft_is_no_version_to_rescore_to(tmp_path):
    app = create_app(builders.copy_empty_store(tmp_path), load_two_versions("active", "draft"))
    client = calling(app, builders.clinic(app.services.store))
    assert refuse(client, keep(client))[0] == 422
    app.services.renderer.close()
    app.services.store.close()


class TestTheTrend:
    def list_rulebooks(self, client, screening: dict) -> list[str]:
        """The versions in the trend of the report, which names them where there are several."""
        text = client.get(f"{screening['links']['self']}/report.txt").text
        _, _, section = text.partition("\nSINCE EARLIER SCREENINGS\n")
        return [word for word in section.split() if word in (FIRST, SECOND)]

    def keep_second(self, client, day: str) -> dict:
        answers = rescore_intake(OLD, NEW, first_intake()["answers"]).carried_answers.answers
        body = {"rulebook": SECOND, "patient": {"reference": "MRN-0042"}, "answered_on": day}
        return create_resource(
            client, HERE, body | {"answers": json.loads(json.dumps(answers, default=float))}
        )

    def test_names_the_version_of_a_point_that_was_not_rescored(self, client):
        keep(client, answered_on="2026-01-01")
        later = self.keep_second(client, "2026-06-01")
        assert FIRST in self.list_rulebooks(client, later)

    def test_shows_a_rescored_screening_once_and_in_the_version_of_the_report(self, client):
        original = keep(client, answered_on="2026-01-01")
        later = self.keep_second(client, "2026-06-01")
        rescore(client, original)  # after the later one was stored
        text = client.get(f"{later['links']['self']}/report.txt").text
        assert text.count("1 January 2026") > 0
        assert FIRST not in self.list_rulebooks(client, later)

    def test_a_rescored_screening_is_not_its_own_earlier_one(self, client):
        rescored = rescore(client, keep(client, answered_on="2026-01-01"))
        text = client.get(f"{rescored['links']['self']}/report.txt").text
        assert "SINCE EARLIER SCREENINGS" not in text

    def test_an_old_screening_is_no_later_for_being_rescored(self, service, clinic, client):
        original = keep(client, answered_on="2026-01-01")
        later = self.keep_second(client, "2026-06-01")
        rescore(client, original)
        newest = builders.do(
            service.services.store,
            clinic,
            latest_screening.find_latest_screening,
            [PatientNumber("MRN-0042", None)],
            "nociplastic",
        )
        assert newest.id == later["id"]
